//! The target's TCP: smoltcp, a stack that shares no code with what is tested.

use std::collections::VecDeque;

use mirror_common::packet::tcp::{ACK, FIN, PSH, RST, SYN};
use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium},
    socket::tcp::{Socket, SocketBuffer, State},
    time::{Duration, Instant},
    wire::{
        HardwareAddress, IpAddress, IpCidr, IpProtocol, Ipv4Address, Ipv4Packet, Ipv4Repr,
        TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    },
};

const CLIENT: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 0, 2);
const CLIENT_PORT: u16 = 40000;
const SERVER_PORT: u16 = 11211;

/// A TCP segment, numbers in host order.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// Window scale option.
    pub(crate) scale: Option<u8>,
    pub(crate) payload: Vec<u8>,
}

/// A host with one port and one client.
pub(crate) struct Stack {
    device: Queues,
    interface: Interface,
    sockets: SocketSet<'static>,
    receive_buffer: usize,
    /// Every socket that is not closed.
    handles: Vec<SocketHandle>,
    numbers: Numbers,
}

/// Moves the server's sequence numbers, so that a connection can begin at any.
struct Numbers {
    /// The number of the first SYN-ACK.
    first: u32,
    shift: Option<u32>,
}

impl Numbers {
    fn outward(&mut self, wire: &mut Wire) {
        let shift = *self.shift.get_or_insert(self.first.wrapping_sub(wire.seq));
        wire.seq = wire.seq.wrapping_add(shift);
    }

    fn inward(&self, wire: &Wire) -> u32 {
        wire.ack.wrapping_sub(self.shift.unwrap_or(0))
    }
}

impl Stack {
    pub(crate) fn new(receive_buffer: usize, first: u32) -> Self {
        let mut device = Queues::default();
        let mut interface =
            Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IpAddress::Ipv4(SERVER), 24)).unwrap();
        });
        let sockets = SocketSet::new(Vec::new());
        let numbers = Numbers { first, shift: None };
        let mut stack =
            Self { device, interface, sockets, receive_buffer, handles: Vec::new(), numbers };
        stack.listen();
        stack
    }

    fn listen(&mut self) {
        let mut socket = Socket::new(
            SocketBuffer::new(vec![0; self.receive_buffer]),
            SocketBuffer::new(vec![0; 1 << 16]),
        );
        // As memcached sets it, and Linux's delayed acknowledgement.
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(Some(Duration::from_millis(40)));
        socket.listen(SERVER_PORT).unwrap();
        self.handles.push(self.sockets.add(socket));
    }

    /// Gives `wire` to the stack, and returns what the stack sends by then.
    pub(crate) fn receive(&mut self, now: u64, wire: &Wire) -> Vec<Wire> {
        if wire.flags & SYN != 0 {
            // Linux lets a new connection take the place of one in TIME-WAIT.
            self.remove(|state| state == State::TimeWait);
            if self.handles.is_empty() {
                self.listen();
            }
        }
        let ack = self.numbers.inward(wire);
        self.device.received.push_back(encode(wire, ack));
        self.poll(now)
    }

    /// Lets timers run, and returns what the stack sends.
    pub(crate) fn poll(&mut self, now: u64) -> Vec<Wire> {
        self.interface.poll(instant(now), &mut self.device, &mut self.sockets);
        self.remove(|state| state == State::Closed);
        // smoltcp may prefer a listener to the socket that has the 4-tuple; there is but one 4-tuple.
        if self.handles.is_empty() {
            self.listen();
        }
        let mut sent: Vec<_> = self.device.sent.drain(..).map(|packet| decode(&packet)).collect();
        sent.iter_mut().for_each(|wire| self.numbers.outward(wire));
        sent
    }

    /// When a timer runs out next, if none is given anything before.
    pub(crate) fn wakes_at(&mut self, now: u64) -> Option<u64> {
        let time = self.interface.poll_at(instant(now), &self.sockets)?;
        Some(u64::try_from(time.total_micros()).unwrap() * 1000)
    }

    fn remove(&mut self, unwanted: impl Fn(State) -> bool) {
        for handle in std::mem::take(&mut self.handles) {
            if unwanted(self.state(handle)) {
                self.sockets.remove(handle);
            } else {
                self.handles.push(handle);
            }
        }
    }

    fn state(&self, handle: SocketHandle) -> State {
        self.sockets.get::<Socket<'_>>(handle).state()
    }

    /// Sockets that are not listening.
    pub(crate) fn connections(&self) -> Vec<SocketHandle> {
        let connected = |handle: &&SocketHandle| self.state(**handle) != State::Listen;
        self.handles.iter().filter(connected).copied().collect()
    }

    /// Sockets that have answered a SYN and wait for the acknowledgement.
    pub(crate) fn opening(&self) -> Vec<SocketHandle> {
        let mut handles = self.connections();
        handles.retain(|&handle| self.state(handle) == State::SynReceived);
        handles
    }

    /// What `Skb::has_connection` of the programs answers.
    pub(crate) fn has_connection(&self) -> bool {
        self.connections().into_iter().any(|handle| self.state(handle) != State::TimeWait)
    }

    pub(crate) fn socket(&mut self, handle: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(handle)
    }
}

fn instant(now: u64) -> Instant {
    Instant::from_micros(i64::try_from(now / 1000).unwrap())
}

/// `wire` as an IP packet that acknowledges `ack`.
fn encode(wire: &Wire, ack: u32) -> Vec<u8> {
    let control = match wire.flags & (SYN | FIN | RST | PSH) {
        flags if flags & SYN != 0 => TcpControl::Syn,
        flags if flags & RST != 0 => TcpControl::Rst,
        flags if flags & FIN != 0 => TcpControl::Fin,
        flags if flags & PSH != 0 => TcpControl::Psh,
        _ => TcpControl::None,
    };
    let tcp = TcpRepr {
        src_port: CLIENT_PORT,
        dst_port: SERVER_PORT,
        control,
        seq_number: TcpSeqNumber(wire.seq as i32),
        ack_number: (wire.flags & ACK != 0).then_some(TcpSeqNumber(ack as i32)),
        window_len: wire.window,
        window_scale: wire.scale,
        max_seg_size: (wire.flags & SYN != 0).then_some(1460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &wire.payload,
    };
    let ip = Ipv4Repr {
        src_addr: CLIENT,
        dst_addr: SERVER,
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; ip.buffer_len() + tcp.buffer_len()];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
    ip.emit(&mut packet, &ChecksumCapabilities::ignored());
    tcp.emit(
        &mut TcpPacket::new_unchecked(packet.payload_mut()),
        &CLIENT.into(),
        &SERVER.into(),
        &ChecksumCapabilities::ignored(),
    );
    bytes
}

fn decode(bytes: &[u8]) -> Wire {
    let packet = Ipv4Packet::new_checked(bytes).unwrap();
    let tcp = TcpPacket::new_checked(packet.payload()).unwrap();
    let repr =
        TcpRepr::parse(&tcp, &SERVER.into(), &CLIENT.into(), &ChecksumCapabilities::ignored())
            .unwrap();
    let control = match repr.control {
        TcpControl::None => 0,
        TcpControl::Psh => PSH,
        TcpControl::Syn => SYN,
        TcpControl::Fin => FIN,
        TcpControl::Rst => RST,
    };
    Wire {
        seq: repr.seq_number.0 as u32,
        ack: repr.ack_number.map_or(0, |ack| ack.0 as u32),
        flags: control | if repr.ack_number.is_some() { ACK } else { 0 },
        window: repr.window_len,
        scale: repr.window_scale,
        payload: repr.payload.to_vec(),
    }
}

/// The interface: packets in, packets out.
#[derive(Default)]
struct Queues {
    received: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);

struct Room<'a>(&'a mut VecDeque<Vec<u8>>);

impl phy::Device for Queues {
    type RxToken<'a> = Received;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Room<'_>)> {
        let packet = self.received.pop_front()?;
        Some((Received(packet), Room(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}

impl phy::RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl phy::TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut packet = vec![0; length];
        let result = write(&mut packet);
        self.0.push_back(packet);
        result
    }
}
