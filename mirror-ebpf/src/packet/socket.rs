//! The sockets of this host that a packet belongs to.

use aya_ebpf::{
    bindings::{bpf_sock, bpf_sock_tuple},
    helpers::generated::{
        bpf_sk_lookup_udp, bpf_sk_release, bpf_skc_lookup_tcp, bpf_tcp_check_syncookie,
        bpf_tcp_sock,
    },
};
use mirror_common::packet::parse::Headers;

use super::skb::Skb;

const IN_THIS_NETNS: u64 = -1i32 as u64;
/// Kernel: `include/net/tcp_states.h`.
const TIME_WAIT: u32 = 6;
const CLOSE: u32 = 7;
const LISTEN: u32 = 10;

/// The state of the TCP socket that has this segment's 4-tuple, or that listens for it; 0 where there is none.
#[inline(always)]
pub fn tcp_state(skb: Skb, headers: &Headers) -> u32 {
    tcp_state_and_end(skb, headers) as u32
}

/// The same in the lower half; in the upper, where a connection is open, the number behind all that it sent.
#[inline(never)]
pub fn tcp_state_and_end(skb: Skb, headers: &Headers) -> u64 {
    let socket = tcp(skb, headers);
    if socket.is_null() {
        return 0;
    }
    // SAFETY: the socket is there until it is released.
    unsafe {
        let state = (*socket).state;
        let connection = bpf_tcp_sock(socket);
        let end = if connection.is_null() { 0 } else { (*connection).snd_nxt };
        bpf_sk_release(socket.cast());
        u64::from(end) << 32 | u64::from(state)
    }
}

/// Whether a socket other than a listener has this packet's 4-tuple on this host.
#[inline(always)]
pub fn has_connection(skb: Skb, headers: &Headers) -> bool {
    !matches!(tcp_state(skb, headers), 0 | LISTEN | TIME_WAIT | CLOSE)
}

/// An IP header and a TCP header, which are too much for the stack.
pub struct Room {
    ip: [u32; 10],
    tcp: [u32; 5],
}

/// Whether the segment acknowledges a SYN cookie of this host's: its connection begins with it (RFC 4987, 3.6).
#[inline(never)]
pub fn has_cookie(skb: Skb, headers: &Headers, room: &mut Room) -> bool {
    if !skb.read_into(headers.l3, &mut room.ip) || !skb.read_into(headers.l4, &mut room.tcp) {
        return false;
    }
    let socket = tcp(skb, headers);
    if socket.is_null() {
        return false;
    }
    // SAFETY: the helper reads both headers, of which it needs no more than there is, and the socket is released.
    unsafe {
        let valid = bpf_tcp_check_syncookie(
            socket.cast(),
            room.ip.as_mut_ptr().cast(),
            size_of::<[u32; 10]>() as u32,
            room.tcp.as_mut_ptr().cast(),
            size_of::<[u32; 5]>() as u32,
        );
        bpf_sk_release(socket.cast());
        valid == 0
    }
}

/// Whether a UDP socket of this host takes a datagram.
#[inline(never)]
pub fn takes_datagram(skb: Skb, headers: &Headers) -> bool {
    let (mut tuple, size) = tuple(headers);
    // SAFETY: the tuple is initialised for `size` bytes; a socket that is found is released.
    unsafe {
        let socket =
            bpf_sk_lookup_udp(skb.context().cast(), &raw mut tuple, size, IN_THIS_NETNS, 0);
        if socket.is_null() {
            return false;
        }
        bpf_sk_release(socket.cast());
        true
    }
}

#[inline(always)]
fn tcp(skb: Skb, headers: &Headers) -> *mut bpf_sock {
    let (mut tuple, size) = tuple(headers);
    // SAFETY: the tuple is initialised for `size` bytes.
    unsafe { bpf_skc_lookup_tcp(skb.context().cast(), &raw mut tuple, size, IN_THIS_NETNS, 0) }
}

/// As the kernel looks sockets up by, and how many bytes of it count.
#[inline(always)]
fn tuple(headers: &Headers) -> (bpf_sock_tuple, u32) {
    // SAFETY: plain integers, for which zero is valid.
    let mut tuple: bpf_sock_tuple = unsafe { core::mem::zeroed() };
    if headers.family == 4 {
        // SAFETY: both arms of the union are plain integers.
        let v4 = unsafe { &mut tuple.__bindgen_anon_1.ipv4 };
        (v4.saddr, v4.daddr) = (headers.src[3], headers.dst[3]);
        (v4.sport, v4.dport) = (headers.src_port, headers.dst_port);
        (tuple, 12)
    } else {
        // SAFETY: as above.
        let v6 = unsafe { &mut tuple.__bindgen_anon_1.ipv6 };
        (v6.saddr, v6.daddr) = (headers.src, headers.dst);
        (v6.sport, v6.dport) = (headers.src_port, headers.dst_port);
        (tuple, 36)
    }
}
