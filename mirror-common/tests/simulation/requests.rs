//! What a client asks, as bytes of memcached's two protocols.

/// How a connection talks (protocol.txt; "Packet Structure" of the binary protocol).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Text,
    Binary,
}

/// First byte of a binary request.
pub(crate) const BINARY: u8 = 0x80;
/// Opcodes of the binary protocol.
pub(crate) const GET: u8 = 0x00;
pub(crate) const SET: u8 = 0x01;
pub(crate) const SET_QUIETLY: u8 = 0x11;
const FLUSH: u8 = 0x08;
/// Length of a binary header.
pub(crate) const HEADER: usize = 24;

/// One request of a client.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// To which production replies with so many bytes.
    Get { reply: u32 },
    /// If it is quiet, production does not reply.
    Set { value: Value, quiet: bool },
}

/// The value of a `set`.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// So many bytes that look like nothing.
    Plain(usize),
    /// So many pieces, one to a segment, each of which looks like a request.
    Mimic(usize),
}

impl Value {
    fn pieces(&self, turn: usize) -> Vec<Vec<u8>> {
        match *self {
            Self::Plain(length) => vec![(0..length).map(|at| b'a' + (at % 23) as u8).collect()],
            Self::Mimic(pieces) => {
                let mimics = [
                    b"get evil\r\n".to_vec(),
                    binary(GET, &[], b"evil", 0),
                    b"set evil 0 0 3\r\nbad\r\n".to_vec(),
                    binary(FLUSH, &[], &[], 0),
                    b"flush_all\r\n".to_vec(),
                ];
                (0..pieces).map(|piece| mimics[(turn + piece) % mimics.len()].clone()).collect()
            }
        }
    }
}

impl Request {
    /// Bytes that production replies with.
    pub(crate) fn reply(&self, protocol: Protocol) -> u32 {
        match *self {
            Self::Get { reply } if protocol == Protocol::Text => reply,
            Self::Get { reply } => reply.max(HEADER as u32),
            Self::Set { quiet: true, .. } => 0,
            Self::Set { .. } if protocol == Protocol::Text => "STORED\r\n".len() as u32,
            Self::Set { .. } => HEADER as u32,
        }
    }

    /// The bytes of request `number` of `connection`, in pieces that begin segments of their own.
    pub(crate) fn pieces(
        &self,
        protocol: Protocol,
        connection: usize,
        number: usize,
    ) -> Vec<Vec<u8>> {
        let key = format!("key-{connection}-{number}");
        let Self::Set { value, quiet } = self else {
            return vec![match protocol {
                Protocol::Text => format!("get {key}\r\n").into_bytes(),
                Protocol::Binary => binary(GET, &[], key.as_bytes(), 0),
            }];
        };
        let mut pieces = value.pieces(number);
        let length = pieces.iter().map(Vec::len).sum();
        let (head, tail) = match protocol {
            Protocol::Text => {
                let noreply = if *quiet { " noreply" } else { "" };
                (format!("set {key} 0 0 {length}{noreply}\r\n").into_bytes(), &b"\r\n"[..])
            }
            Protocol::Binary => {
                let opcode = if *quiet { SET_QUIETLY } else { SET };
                (binary(opcode, &[0; 8], key.as_bytes(), length), &b""[..])
            }
        };
        match value {
            Value::Plain(_) => vec![[&head, &pieces[0], tail].concat()],
            Value::Mimic(_) => {
                pieces.insert(0, head);
                pieces.push(tail.to_vec());
                pieces
            }
        }
    }
}

/// A binary request up to its value, which has so many bytes.
fn binary(opcode: u8, extras: &[u8], key: &[u8], value: usize) -> Vec<u8> {
    let body = (extras.len() + key.len() + value) as u32;
    let mut bytes = vec![BINARY, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    bytes.extend(body.to_be_bytes());
    // The client's own number, which memcached sends back, and no unique number.
    bytes.extend([0xde, 0xad, 0xbe, 0xef]);
    bytes.extend([0; 8]);
    bytes.extend(extras);
    bytes.extend(key);
    bytes
}
