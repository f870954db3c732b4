//! Whether this host takes a TCP segment: what production does not accept is not to run on the new host.
//!
//! The kernel's socket for the segment says so, at the moment at which the segment arrives. A segment with data of a
//! connection that does not exist, as of a refused client, of one that a firewall keeps out, or of nobody, finds none.

use crate::packet::tcp::{ACK, FIN, RST, SYN};

/// The socket that the kernel has for a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Socket {
    /// None, or one that is closed.
    None,
    /// A listener: there is no connection.
    Listens,
    /// A connection that begins, or is open.
    Open,
    /// A connection that this host has closed.
    Closing,
    /// What is left of one for a while (RFC 9293, 3.3.2, `TIME-WAIT`): it takes no data, and makes room for a SYN.
    TimeWait,
}

impl Socket {
    /// In the state with this number (kernel: `include/net/tcp_states.h`); 0 where there is no socket.
    #[inline(always)]
    pub const fn of_state(state: u32) -> Self {
        match state {
            // ESTABLISHED, SYN_RECV, CLOSE_WAIT, NEW_SYN_RECV.
            1 | 3 | 8 | 12 => Self::Open,
            // FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING.
            4 | 5 | 9 | 11 => Self::Closing,
            6 => Self::TimeWait,
            10 => Self::Listens,
            _ => Self::None,
        }
    }

    /// Whether it takes a segment with these flags and so many bytes of data.
    ///
    /// memcached never shuts down one direction alone: data for a connection that it closed is refused (kernel:
    /// `tcp_rcv_state_process`). Acknowledgements, FINs and resets of it are taken.
    #[inline(always)]
    pub const fn takes(self, flags: u8, payload: u32) -> bool {
        if flags & SYN != 0 {
            return flags & ACK == 0 && matches!(self, Self::Listens | Self::Open | Self::TimeWait);
        }
        match self {
            Self::Open => true,
            Self::Closing | Self::TimeWait => payload == 0,
            Self::None | Self::Listens => false,
        }
    }
}

/// Whether a segment that a connection takes only acknowledges a part of what this host sent there, up to `end`: its
/// client has more to acknowledge, and the new host acknowledges in its place meanwhile.
#[inline(always)]
pub const fn acknowledges_a_part(flags: u8, payload: u32, ack: u32, end: u32) -> bool {
    flags & (ACK | SYN | FIN | RST) == ACK && payload == 0 && ack != end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tcp::PSH;

    const ESTABLISHED: u32 = 1;
    const TIME_WAIT: u32 = 6;
    const LISTEN: u32 = 10;
    const NEW_SYN_RECV: u32 = 12;

    fn takes(state: u32, flags: u8, payload: u32) -> bool {
        Socket::of_state(state).takes(flags, payload)
    }

    #[test]
    fn without_a_connection_only_a_syn_is_taken() {
        for flags in [ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, SYN | ACK, 0] {
            for payload in [0, 1, 1448] {
                assert!(!takes(LISTEN, flags, payload), "{flags:#x}, {payload}");
                assert!(!takes(0, flags, payload), "{flags:#x}, {payload}");
            }
        }
        assert!(takes(LISTEN, SYN, 0));
        assert!(!takes(0, SYN, 0), "the port is closed");
    }

    #[test]
    fn the_last_acknowledgement_is_needed() {
        assert!(acknowledges_a_part(ACK, 0, 1000, 2000));
        assert!(!acknowledges_a_part(ACK, 0, 2000, 2000), "of all that was sent");
        assert!(!acknowledges_a_part(ACK | PSH, 10, 1000, 2000), "with a request");
        for flags in [ACK | FIN, RST | ACK, RST, SYN] {
            assert!(!acknowledges_a_part(flags, 0, 1000, 2000), "{flags:#x}");
        }
    }

    #[test]
    fn a_connection_takes_data_until_it_is_closed_here() {
        for state in [ESTABLISHED, NEW_SYN_RECV, 3, 8] {
            assert!(takes(state, ACK | PSH, 100), "state {state}");
        }
        for state in [4, 5, TIME_WAIT, 7, 9, 11] {
            assert!(!takes(state, ACK | PSH, 100), "state {state}");
        }
        for state in [4, 5, TIME_WAIT, 9, 11] {
            assert!(takes(state, FIN | ACK, 0), "state {state}");
        }
        assert!(takes(TIME_WAIT, SYN, 0), "a port that is used again");
    }
}
