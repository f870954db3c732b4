//! Raw Ethernet frames at an interface (`packet(7)`).

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    time::Instant,
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        socket::{
            AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socket, sockopt,
        },
        time::{TimeVal, TimeValLike as _},
    },
};

use crate::{Host, wait::DEADLINE};

/// Sends any frame, and receives those that are sent to one link-layer address.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
    mac: [u8; 6],
}

impl Wire {
    /// At `interface` of `host`, whatever its own address is; from now on, nothing is missed that
    /// arrives for `mac`.
    pub fn at(host: &Host, interface: &str, mac: [u8; 6]) -> Self {
        Self { socket: packet_socket(host, interface), mac }
    }

    /// Gives what is sent from now on this `skb->mark`.
    pub fn mark(&self, mark: u32) {
        setsockopt(&self.socket, sockopt::Mark, &mark).expect("marks can be set: is this root?");
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        let n = send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).expect("a frame is sent");
        assert_eq!(n, frame.len(), "a frame is sent whole");
    }

    /// The next frame; waits for it.
    pub fn receive(&self) -> Vec<u8> {
        let start = Instant::now();
        loop {
            if let Some(frame) = self.arrived(MsgFlags::empty()) {
                return frame;
            }
            assert!(start.elapsed() < DEADLINE, "waited in vain for a frame");
        }
    }

    /// What has arrived and was not received yet.
    pub fn rest(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.arrived(MsgFlags::MSG_DONTWAIT)).collect()
    }

    fn arrived(&self, flags: MsgFlags) -> Option<Vec<u8>> {
        let mut buffer = [0; 65536];
        loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, flags) {
                Ok(n) if buffer[..n].starts_with(&self.mac) => return Some(buffer[..n].to_vec()),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                Err(error) => panic!("a packet socket can be read: {error}"),
            }
        }
    }
}

/// A socket that has each frame that arrives at `interface`, and room for bursts of them.
pub(crate) fn tap(host: &Host, interface: &str) -> OwnedFd {
    const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
    let socket = packet_socket(host, interface);
    setsockopt(&socket, sockopt::RcvBufForce, &(32 << 20)).expect("a large buffer: is this root?");
    switch_on(&socket, PACKET_IGNORE_OUTGOING).expect("outgoing frames are left out");
    socket
}

/// Switches an option of a packet socket on.
pub(crate) fn switch_on(socket: &OwnedFd, option: libc::c_int) -> io::Result<()> {
    let yes: libc::c_int = 1;
    let size = size_of_val(&yes) as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes of `yes`.
    let result = unsafe {
        let value = (&raw const yes).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_PACKET, option, value, size)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn packet_socket(host: &Host, interface: &str) -> OwnedFd {
    let index = host.interface_index(interface);
    let socket = host.run(|| {
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)
            .expect("a packet socket can be made");
        bind(&socket, index).expect("a packet socket can be bound");
        socket
    });
    let patience = TimeVal::milliseconds(100);
    setsockopt(&socket, sockopt::ReceiveTimeout, &patience).expect("a time-out can be set");
    socket
}

fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    // SAFETY: plain integers, for which zero is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index.cast_signed();
    let size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes of `address`.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
