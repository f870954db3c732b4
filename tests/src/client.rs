//! Requests over plain sockets, byte by byte.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, setsockopt, socket,
        sockopt,
    },
};

use crate::{Host, wait};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection of a client's.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub stream: TcpStream,
}

/// A reply of the binary protocol.
#[derive(Debug)]
pub struct BinaryReply {
    /// Of the command.
    pub opcode: u8,
    /// 0 for success.
    pub status: u16,
    /// Extras, key and value.
    pub body: Vec<u8>,
}

impl Connection {
    /// Connects from `host`.
    pub fn open(host: &Host, server: IpAddr, port: u16) -> Self {
        let stream = host
            .run(|| TcpStream::connect_timeout(&SocketAddr::new(server, port), TIMEOUT))
            .expect("the server accepts connections");
        Self::new(stream)
    }

    /// Connects from `host` and a port of the caller's choice.
    pub fn open_from(host: &Host, port: u16, server: IpAddr, server_port: u16) -> Self {
        let own = if server.is_ipv4() { host.v4() } else { host.v6() };
        Self::open_with(host, server, server_port, |socket| {
            setsockopt(socket, sockopt::ReuseAddr, &true).expect("ports can be used again");
            bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(own, port)))
                .expect("the port is free");
        })
    }

    /// Connects from `host` with IP options (IPv4, RFC 791, 3.1) or a header of destination options
    /// (IPv6, RFC 8200, 4.6) on every packet: padding that means nothing.
    pub fn open_with_options(host: &Host, server: IpAddr, port: u16) -> Self {
        Self::open_with(host, server, port, |socket| {
            let (level, option, bytes) = if server.is_ipv4() {
                (libc::IPPROTO_IP, libc::IP_OPTIONS, [1u8; 8])
            } else {
                (libc::IPPROTO_IPV6, libc::IPV6_DSTOPTS, [0, 0, 1, 4, 0, 0, 0, 0])
            };
            let size = libc::socklen_t::try_from(bytes.len()).expect("eight bytes");
            // SAFETY: the kernel reads `size` bytes of `bytes`.
            let result = unsafe {
                libc::setsockopt(socket.as_raw_fd(), level, option, bytes.as_ptr().cast(), size)
            };
            assert_eq!(result, 0, "IP options: {}", std::io::Error::last_os_error());
        })
    }

    /// Connects from `host` by MPTCP (RFC 8684), or by TCP where the server knows nothing of it.
    pub fn open_multipath(host: &Host, server: IpAddr, port: u16) -> Self {
        let family = if server.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
        // SAFETY: the kernel takes numbers.
        let socket = host.run(|| unsafe { libc::socket(family, kind, libc::IPPROTO_MPTCP) });
        assert!(socket >= 0, "the kernel has MPTCP: {}", std::io::Error::last_os_error());
        // SAFETY: a descriptor that nobody else owns.
        Self::connect(unsafe { OwnedFd::from_raw_fd(socket) }, server, port)
    }

    /// Connects from `host` by TCP Fast Open (RFC 7413): the first bytes that are sent go with the SYN, once the
    /// server gave the host a cookie.
    pub fn open_fast(host: &Host, server: IpAddr, port: u16) -> Self {
        Self::open_with(host, server, port, |socket| {
            setsockopt(socket, sockopt::TcpFastOpenConnect, &true).expect("the kernel knows it");
        })
    }

    fn open_with(host: &Host, server: IpAddr, port: u16, prepare: impl FnOnce(&OwnedFd)) -> Self {
        let family = if server.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let socket = host
            .run(|| socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None))
            .expect("a socket can be made");
        prepare(&socket);
        Self::connect(socket, server, port)
    }

    fn connect(socket: OwnedFd, server: IpAddr, port: u16) -> Self {
        let server = SockaddrStorage::from(SocketAddr::new(server, port));
        // A program that another test is just starting may have an earlier connection's socket open.
        wait::until("the client's port", || match connect(socket.as_raw_fd(), &server) {
            Err(Errno::EADDRNOTAVAIL) => None,
            result => {
                result.expect("the server accepts connections");
                Some(())
            }
        });
        Self::new(TcpStream::from(socket))
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        stream.set_write_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        stream.set_nodelay(true).expect("Nagle's algorithm can be turned off");
        Self { stream }
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        let now = libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&self.stream, sockopt::Linger, &now).expect("lingering can be set");
    }

    /// Asks the server for a sign of life this often.
    pub fn keepalive(&self, interval: Duration) {
        let seconds = u32::try_from(interval.as_secs()).expect("a short interval");
        setsockopt(&self.stream, sockopt::KeepAlive, &true).expect("keepalive can be set");
        setsockopt(&self.stream, sockopt::TcpKeepIdle, &seconds).expect("its idle time, too");
        setsockopt(&self.stream, sockopt::TcpKeepInterval, &seconds).expect("and its interval");
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server takes requests");
    }

    /// Reads until what was read ends in `end`.
    pub fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut reply = Vec::new();
        let mut buffer = [0; 65536];
        while !reply.ends_with(end) {
            let n = self.stream.read(&mut buffer).expect("the server replies in time");
            assert_ne!(n, 0, "the server closed the connection");
            reply.extend_from_slice(&buffer[..n]);
        }
        reply
    }

    /// Reads exactly `length` bytes.
    pub fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut reply = vec![0; length];
        self.stream.read_exact(&mut reply).expect("the server replies in time");
        reply
    }

    /// Sends a request and reads a reply that ends in `end`.
    pub fn ask(&mut self, request: impl AsRef<[u8]>, end: &str) -> Vec<u8> {
        self.send(request.as_ref());
        self.read_until(end.as_bytes())
    }

    /// Reads a reply of the binary protocol.
    pub fn read_binary(&mut self) -> BinaryReply {
        let header = self.read_exact(24);
        let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        BinaryReply {
            opcode: header[1],
            status: u16::from_be_bytes([header[6], header[7]]),
            body: self.read_exact(length as usize),
        }
    }

    /// Stores a value.
    pub fn set(&mut self, key: &str, value: &[u8]) {
        let reply = self.ask(set_request(key, value), "\r\n");
        assert_eq!(reply, b"STORED\r\n", "{key}");
    }

    /// Fetches a value, `None` for a miss.
    pub fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        self.get_by(key, "\r\n")
    }

    /// The same by a command line that ends in `end`.
    pub fn get_by(&mut self, key: &str, end: &str) -> Option<Vec<u8>> {
        let reply = self.ask(format!("get {key}{end}"), "END\r\n");
        let line = reply.windows(2).position(|pair| pair == b"\r\n")? + 2;
        (reply != b"END\r\n").then(|| reply[line..reply.len() - b"\r\nEND\r\n".len()].to_vec())
    }
}

/// Connects `count` times from `host`, from each of its addresses `from` in turn.
pub fn connect_many(
    host: &Host,
    from: &[IpAddr],
    server: SocketAddr,
    count: usize,
) -> Vec<TcpStream> {
    host.run(|| {
        from.iter()
            .cycle()
            .take(count)
            .map(|own| {
                let socket =
                    socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
                        .expect("a socket can be made: is the limit of open files large enough?");
                // Leaves the choice of the port to `connect`, which knows the whole 4-tuple.
                setsockopt(&socket, sockopt::IpBindAddressNoPort, &true).expect("as said");
                bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(*own, 0)))
                    .expect("an address of this host");
                connect(socket.as_raw_fd(), &SockaddrStorage::from(server))
                    .expect("the server accepts connections");
                TcpStream::from(socket)
            })
            .collect()
    })
}

/// A classic text `set`.
pub fn set_request(key: &str, value: &[u8]) -> Vec<u8> {
    let mut request = format!("set {key} 0 0 {}\r\n", value.len()).into_bytes();
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
    request
}

/// A request of the binary protocol (header of 24 bytes, extras, key, value).
pub fn binary(opcode: u8, extras: &[u8], key: &str, value: &[u8]) -> Vec<u8> {
    let body = u32::try_from(extras.len() + key.len() + value.len()).expect("small requests");
    let mut request = vec![0x80, opcode];
    request.extend(u16::try_from(key.len()).expect("small keys").to_be_bytes());
    request.extend([u8::try_from(extras.len()).expect("few extras"), 0, 0, 0]);
    request.extend(body.to_be_bytes());
    request.extend([0; 12]);
    request.extend_from_slice(extras);
    request.extend_from_slice(key.as_bytes());
    request.extend_from_slice(value);
    request
}

/// A UDP socket of a client's, connected to a server.
pub fn udp(host: &Host, server: IpAddr, port: u16) -> UdpSocket {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = host.run(|| UdpSocket::bind(any)).expect("a UDP socket can be bound");
    socket.connect(SocketAddr::new(server, port)).expect("a UDP socket can be connected");
    socket.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
    socket
}

/// memcached's frame header, and a request (protocol.txt, "UDP protocol").
pub fn frame(request_id: u16, datagrams: u16, request: &[u8]) -> Vec<u8> {
    let mut datagram = request_id.to_be_bytes().to_vec();
    datagram.extend([0, 0]);
    datagram.extend(datagrams.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(request);
    datagram
}
