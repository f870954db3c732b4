//! The kernel's routing tables, asked for one packet.

use core::mem::zeroed;

use aya_ebpf::{
    bindings::{bpf_fib_lookup as Fib, bpf_redir_neigh},
    helpers::generated::{bpf_fib_lookup, bpf_redirect_neigh},
};
use mirror_common::{abi::Address, packet::parse::Headers};

use super::skb::{Skb, to_next_hop};

/// `AF_INET` and `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;

/// `BPF_FIB_LKUP_RET_*`.
const SUCCESS: i64 = 0;
const FORWARDING_DISABLED: i64 = 5;
const NO_NEIGHBOUR: i64 = 7;
const TOO_LARGE: i64 = 8;

/// What the kernel says of the way.
pub enum Way {
    /// There is one, and the next hop's link-layer address is known.
    Known(NextHop),
    /// There is one; the link-layer address has to be asked for.
    Unresolved(NextHop),
    /// There is one, for packets of so many bytes, from the IP header.
    TooLarge(u32),
    /// There is none.
    None,
    /// The kernel does not answer, as the interface that is asked for does not forward.
    NotAsked,
}

/// Where a packet goes next.
#[derive(Clone, Copy)]
pub struct NextHop {
    ifindex: u32,
    hop: bpf_redir_neigh,
}

impl NextHop {
    /// The interface by which.
    #[inline(always)]
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// Whatever the kernel's tables give out of this interface.
    #[inline(always)]
    pub fn out_of(ifindex: u32) -> Self {
        // SAFETY: integers, for which zero is valid.
        Self { ifindex, hop: unsafe { zeroed() } }
    }

    /// Verdict: send the packet there. It gets no route of its own, so that no part of the kernel has cause to tell
    /// its source what became of it (kernel: `ipv4_link_failure`).
    #[inline(always)]
    pub fn send(mut self) -> i32 {
        if self.hop.nh_family == 0 {
            return to_next_hop(self.ifindex);
        }
        let size = size_of::<bpf_redir_neigh>() as i32;
        // SAFETY: the helper reads `size` bytes.
        unsafe { bpf_redirect_neigh(self.ifindex, &raw mut self.hop, size, 0) as i32 }
    }
}

/// What is asked: the way of a packet with these headers.
pub struct Question<'a> {
    /// As the packet has them, but for what follows.
    pub headers: &'a Headers,
    /// Its source address.
    pub src: &'a Address,
    /// Its destination address.
    pub dst: &'a Address,
    /// Its ports, network byte order.
    pub ports: (u16, u16),
    /// The first word of its IP header.
    pub first_word: u32,
    /// Bytes from the IP header that it has on the wire: of several packets in one, the largest.
    pub length: u32,
}

impl<'a> Question<'a> {
    /// The way of the packet itself, of whatever length.
    #[inline(always)]
    pub fn on(headers: &'a Headers) -> Self {
        let ports = (headers.src_port, headers.dst_port);
        Self { headers, src: &headers.src, dst: &headers.dst, ports, first_word: 0, length: 0 }
    }

    /// The way of an answer to it.
    #[inline(always)]
    pub fn back(headers: &'a Headers) -> Self {
        let ports = (headers.dst_port, headers.src_port);
        Self { src: &headers.dst, dst: &headers.src, ports, ..Self::on(headers) }
    }
}

/// Asks as for a packet that arrived at `ifindex`, which has to forward. Rules by source, destination and ports count;
/// rules by mark see none.
#[inline(always)]
pub fn ask(skb: Skb, ifindex: u32, question: &Question<'_>) -> Way {
    // SAFETY: integers, for which zero is valid.
    let mut fib: Fib = unsafe { zeroed() };
    let first = u32::from_be(question.first_word);
    fib.ifindex = ifindex;
    fib.l4_protocol = question.headers.protocol;
    (fib.sport, fib.dport) = question.ports;
    fib.__bindgen_anon_1.tot_len = question.length as u16;
    if question.headers.family == 4 {
        fib.family = INET;
        fib.__bindgen_anon_2.tos = (first >> 16) as u8;
        fib.__bindgen_anon_3.ipv4_src = question.src[3];
        fib.__bindgen_anon_4.ipv4_dst = question.dst[3];
    } else {
        fib.family = INET6;
        fib.__bindgen_anon_2.flowinfo = (first & 0x0fff_ffff).to_be();
        fib.__bindgen_anon_3.ipv6_src = *question.src;
        fib.__bindgen_anon_4.ipv6_dst = *question.dst;
    }
    let size = size_of::<Fib>() as i32;
    // SAFETY: the helper reads and writes `size` bytes.
    let answer = unsafe { bpf_fib_lookup(skb.context().cast(), &raw mut fib, size, 0) };
    match answer {
        SUCCESS => Way::Known(next_hop(&fib)),
        NO_NEIGHBOUR => Way::Unresolved(next_hop(&fib)),
        // SAFETY: all of it is initialised.
        TOO_LARGE => Way::TooLarge(u32::from(unsafe { fib.__bindgen_anon_1.mtu_result })),
        FORWARDING_DISABLED => Way::NotAsked,
        _ => Way::None,
    }
}

/// Where the answer says. An IPv4 packet can have a next hop of IPv6 (RFC 8950).
#[inline(always)]
fn next_hop(fib: &Fib) -> NextHop {
    // SAFETY: integers, for which zero is valid.
    let mut hop: bpf_redir_neigh = unsafe { zeroed() };
    hop.nh_family = u32::from(fib.family);
    // SAFETY: all of it is initialised, whichever family it is.
    hop.__bindgen_anon_1.ipv6_nh = unsafe { fib.__bindgen_anon_4.ipv6_dst };
    NextHop { ifindex: fib.ifindex, hop }
}
