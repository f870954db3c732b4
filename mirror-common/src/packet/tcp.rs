//! The TCP header (RFC 9293, 3.1) as 20 bytes, and arithmetic on sequence numbers (3.4).

/// FIN flag.
pub const FIN: u8 = 0x01;
/// SYN flag.
pub const SYN: u8 = 0x02;
/// RST flag.
pub const RST: u8 = 0x04;
/// PSH flag.
pub const PSH: u8 = 0x08;
/// ACK flag.
pub const ACK: u8 = 0x10;
/// URG flag.
pub const URG: u8 = 0x20;

/// Flags of a sealed segment by which a source says that no more copies of a connection come. No
/// client has a use for the two together.
pub const NO_MORE: u8 = SYN | RST;

/// Length of a header without options.
pub const HEADER: u32 = 20;
/// Longest header.
pub const MAX_HEADER: u32 = 60;

/// Option kinds (RFC 9293, 3.2; RFC 7323; RFC 2018; RFC 7413).
pub mod option {
    /// No more options.
    pub const END: u8 = 0;
    /// Padding.
    pub const NOP: u8 = 1;
    /// Maximum segment size, 4 bytes.
    pub const MSS: u8 = 2;
    /// Window scale, 3 bytes.
    pub const WINDOW_SCALE: u8 = 3;
    /// The window scale of the synthetic client, the largest that there is (RFC 7323, 2.3).
    pub const SYNTHETIC_SCALE: u8 = 14;
}

/// Whether sequence number `a` is after `b`.
#[inline(always)]
pub const fn after(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) < 0
}

/// Whether sequence number `a` is `b`, or shortly before it, as in a segment that comes late or twice:
/// by less than 64 MiB, further than windows are wide. What is older belongs to another connection.
#[inline(always)]
pub const fn late(a: u32, b: u32) -> bool {
    b.wrapping_sub(a) < 1 << 26
}

/// The fixed part of a TCP header: five words whose memory is in network byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Header(pub [u32; 5]);

impl Header {
    /// Sets the ports, in network byte order.
    #[inline(always)]
    pub fn set_ports(&mut self, src: u16, dst: u16) {
        self.0[0] = (u32::from(u16::from_be(src)) << 16 | u32::from(u16::from_be(dst))).to_be();
    }

    /// Sequence number.
    #[inline(always)]
    pub fn seq(&self) -> u32 {
        u32::from_be(self.0[1])
    }

    /// Sets the sequence number.
    #[inline(always)]
    pub fn set_seq(&mut self, seq: u32) {
        self.0[1] = seq.to_be();
    }

    /// Acknowledgement number.
    #[inline(always)]
    pub fn ack(&self) -> u32 {
        u32::from_be(self.0[2])
    }

    /// Sets the acknowledgement number.
    #[inline(always)]
    pub fn set_ack(&mut self, ack: u32) {
        self.0[2] = ack.to_be();
    }

    /// Length of header and options in bytes, 0 to 60; less than 20 is malformed.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        (u32::from_be(self.0[3]) >> 28) * 4
    }

    /// The eight flags from CWR to FIN.
    #[inline(always)]
    pub fn flags(&self) -> u8 {
        (u32::from_be(self.0[3]) >> 16) as u8
    }

    /// Window field, unscaled.
    #[inline(always)]
    pub fn window(&self) -> u16 {
        u32::from_be(self.0[3]) as u16
    }

    /// Sets length in bytes (a multiple of 4), flags and window; the reserved bits become zero.
    #[inline(always)]
    pub fn set_control(&mut self, length: u32, flags: u8, window: u16) {
        self.0[3] = ((length / 4) << 28 | u32::from(flags) << 16 | u32::from(window)).to_be();
    }

    /// Sets the checksum, in memory order, and an urgent pointer of zero.
    #[inline(always)]
    pub fn set_checksum(&mut self, checksum: u16) {
        self.0[4] = (u32::from(u16::from_be(checksum)) << 16).to_be();
    }

    /// Urgent pointer.
    #[inline(always)]
    pub fn urgent(&self) -> u16 {
        u32::from_be(self.0[4]) as u16
    }

    /// Sets the urgent pointer.
    #[inline(always)]
    pub fn set_urgent(&mut self, urgent: u16) {
        self.0[4] = (u32::from_be(self.0[4]) & 0xffff_0000 | u32::from(urgent)).to_be();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_wraps() {
        assert!(after(1, 0));
        assert!(after(0, u32::MAX));
        assert!(!after(5, 5));
        assert!(!after(u32::MAX, 3));
    }

    #[test]
    fn late_is_shortly_before() {
        for a in [1000, 999, 0, u32::MAX, 1001u32.wrapping_sub(1 << 26)] {
            assert!(late(a, 1000), "{a}");
        }
        for a in [1001, 1 << 30, 1 << 31, 1000u32.wrapping_sub(1 << 26)] {
            assert!(!late(a, 1000), "{a}");
        }
    }

    #[test]
    fn fields_are_where_the_rfc_has_them() {
        let mut header = Header([0; 5]);
        header.set_ports(11211u16.to_be(), 80u16.to_be());
        header.set_seq(0x0102_0304);
        header.set_ack(0x0506_0708);
        header.set_control(24, SYN | ACK, 0x1234);
        header.set_checksum(0xabcdu16.to_be());
        header.set_urgent(0x5678);
        let mut bytes = [0; 20];
        for (chunk, word) in bytes.chunks_mut(4).zip(header.0) {
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        assert_eq!(
            bytes,
            [
                0x2b, 0xcb, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x60, 0x12, 0x12, 0x34, 0xab, 0xcd,
                0x56, 0x78
            ]
        );
        assert_eq!((header.seq(), header.ack(), header.length()), (0x0102_0304, 0x0506_0708, 24));
        assert_eq!((header.flags(), header.window(), header.urgent()), (0x12, 0x1234, 0x5678));
        header.set_ports(11211u16.to_be(), 81u16.to_be());
        assert_eq!(u32::from_be(header.0[0]), 11211 << 16 | 81);
    }
}
