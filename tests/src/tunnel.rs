//! A tunnel of a host's whose other end is the test: what leaves by it, the test reads.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _},
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
};

use nix::libc;

use crate::Host;

/// An interface of IP packets without link-layer header, which is up. Gone when dropped.
#[derive(Debug)]
pub struct Tunnel {
    file: File,
}

impl Tunnel {
    /// Makes the interface `name`.
    pub fn open(host: &Host, name: &str) -> Self {
        let file = host.run(|| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
            let file = options.open("/dev/net/tun").expect("tunnels");
            // SAFETY: integers, for which zero is valid.
            let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
            for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
                *to = from.cast_signed();
            }
            let flags = libc::IFF_TUN | libc::IFF_NO_PI;
            request.ifr_ifru.ifru_flags = flags.try_into().expect("16 bits");
            // SAFETY: the kernel reads and writes one `ifreq`.
            let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
            assert_eq!(made, 0, "{name}: {}", std::io::Error::last_os_error());
            file
        });
        host.ip(&["link", "set", name, "up"]);
        Self { file }
    }

    /// TCP and UDP packets that left by it since the last time.
    pub fn left(&mut self) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.file.read(&mut buffer) {
                Ok(length) => packets.push(buffer[..length].to_vec()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("reading a tunnel: {error}"),
            }
        }
        packets.retain(|packet| {
            let protocol = if packet[0] >> 4 == 4 { packet[9] } else { packet[6] };
            matches!(protocol, 6 | 17)
        });
        packets
    }
}
