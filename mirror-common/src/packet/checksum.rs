//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! The sum of a header in one's complement does not depend on byte order or word size (RFC 1071, 2):
//! sums are taken over 32-bit words as they lie in memory, in a `u64` that has room for every carry,
//! and [`fold`] gives the 16 bits that belong into memory.

/// Adds words to a partial sum.
#[inline(always)]
pub fn add<const N: usize>(mut sum: u64, words: &[u32; N]) -> u64 {
    let mut at = 0;
    while at < N {
        sum += words[at] as u64;
        at += 1;
    }
    sum
}

/// What has to be added to a header's sum when `old` becomes `new` (RFC 1624, equation 3).
/// Differences add up with `+`.
#[inline(always)]
pub fn difference<const N: usize>(old: &[u32; N], new: &[u32; N]) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while at < N {
        sum += (!old[at]) as u64 + new[at] as u64;
        at += 1;
    }
    sum
}

/// Folds the carries of a partial sum into 16 bits, in memory order.
#[inline(always)]
pub const fn fold(sum: u64) -> u16 {
    // Five carries at most, of which the first takes 32 bits home.
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    ((sum >> 16) + sum) as u16
}

/// The checksum field for data that sums to `sum`, in memory order.
#[inline(always)]
pub const fn finish(sum: u64) -> u16 {
    !fold(sum)
}

/// Partial sum of the pseudo-header of TCP or UDP over IPv4 (RFC 9293, 3.1) or IPv6 (RFC 8200, 8.1).
///
/// Addresses are in the form of map keys: the `::ffff` of a mapped IPv4 address sums to zero, so
/// that both families are the same sum. `length` is the segment's, in bytes.
#[inline(always)]
pub fn pseudo_header(src: &[u32; 4], dst: &[u32; 4], protocol: u8, length: u16) -> u64 {
    let sum = u64::from(u32::from(protocol).to_be()) + u64::from(u32::from(length).to_be());
    add(add(sum, src), dst)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
        let mut words = [0; N];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(4)) {
            *word = u32::from_ne_bytes(chunk.try_into().unwrap());
        }
        words
    }

    /// The plain way: 16-bit words in network byte order.
    fn reference(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        sum as u16
    }

    /// Zero has two forms in one's complement; they mean the same.
    fn same(a: u16, b: u16) -> bool {
        a % 0xffff == b % 0xffff
    }

    #[test]
    fn rfc_1071_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(u16::from_be(fold(add(0, &words::<2>(&bytes)))), 0xddf2);
    }

    #[test]
    fn rfc_1624_example() {
        // Header checksum 0xdd2f, field 0x5555 becomes 0x3285; the new checksum is zero.
        let change = difference(&[0x5555_0000u32.to_be()], &[0x3285_0000u32.to_be()]);
        let sum = u64::from((!0xdd2fu16).to_be()) + change;
        assert!(same(finish(sum), 0));
    }

    #[test]
    fn a_mapped_address_sums_like_its_ipv4_address() {
        let v4 = [10u8, 0, 0, 5];
        let mapped = crate::abi::v4_mapped(u32::from_ne_bytes(v4));
        assert!(same(u16::from_be(fold(add(0, &mapped))), reference(&v4)));
    }

    /// The checksum that belongs to `bytes`, in memory order.
    fn whole(bytes: &[u8]) -> u16 {
        (!reference(bytes)).to_be()
    }

    /// What the kernel's helpers make of a checksum field (`inet_proto_csum_replace_by_diff`).
    fn mend(field: u16, difference: u64) -> u16 {
        finish(u64::from(!field) + u64::from(fold(difference)))
    }

    /// The same with `BPF_F_MARK_MANGLED_0`, for UDP: zero is none, and never made.
    fn mend_udp(field: u16, difference: u64) -> u16 {
        match field {
            0 => 0,
            _ => match mend(field, difference) {
                0 => !0,
                field => field,
            },
        }
    }

    /// UDP sends a checksum of zero as its other form (RFC 768).
    fn whole_udp(bytes: &[u8]) -> u16 {
        match whole(bytes) {
            0 => !0,
            field => field,
        }
    }

    /// Words, their last ones often such that the sum is close to a carry.
    fn sums<const N: usize>() -> impl Strategy<Value = [u32; N]> {
        let word = prop_oneof![
            4 => any::<u32>(),
            1 => prop::sample::select(std::vec![0, 1, 0xffff, 0x1_0000, 0xffff_0000, u32::MAX]),
        ];
        prop::collection::vec(word, N).prop_map(|words| words.try_into().unwrap())
    }

    fn bytes(words: &[&[u32]]) -> std::vec::Vec<u8> {
        words.concat().into_iter().flat_map(u32::to_ne_bytes).collect()
    }

    /// A segment with the words of a header that are not its checksum.
    #[derive(Debug)]
    struct Datagram {
        src: [u32; 4],
        dst: [u32; 4],
        protocol: u8,
        header: [u32; 5],
        payload: std::vec::Vec<u8>,
    }

    impl Datagram {
        fn length(&self) -> u16 {
            20 + self.payload.len() as u16
        }

        /// Everything that the checksum is over (RFC 9293, 3.1; RFC 8200, 8.1).
        fn bytes(&self) -> std::vec::Vec<u8> {
            let rest = [u32::from(self.length()).to_be(), u32::from(self.protocol).to_be()];
            let mut bytes = bytes(&[&self.src, &self.dst, &rest, &self.header]);
            bytes.extend(&self.payload);
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            bytes
        }
    }

    fn datagram(protocol: u8) -> impl Strategy<Value = Datagram> {
        let address = prop_oneof![sums(), any::<u32>().prop_map(crate::abi::v4_mapped)];
        let payload = prop::collection::vec(any::<u8>(), 0..64);
        (address.clone(), address, sums(), payload).prop_map(move |(src, dst, header, payload)| {
            Datagram { src, dst, protocol, header, payload }
        })
    }

    proptest! {
        /// Whatever is added up: the rest of a division by 0xffff stays, and only nothing is zero.
        #[test]
        fn every_sum_folds(sum in prop_oneof![any::<u64>(), any::<u64>().prop_map(|sum| !(sum >> 32))]) {
            prop_assert_eq!(u64::from(fold(sum)) % 0xffff, sum % 0xffff);
            prop_assert_eq!(fold(sum) == 0, sum == 0);
        }

        #[test]
        fn the_pseudo_header_is_part_of_the_sum(datagram in datagram(6)) {
            let Datagram { src, dst, protocol, header, .. } = &datagram;
            let sum = add(pseudo_header(src, dst, *protocol, 20), header);
            let alone = Datagram { payload: std::vec![], header: *header, ..datagram };
            prop_assert_eq!(finish(sum), whole(&alone.bytes()));
        }

        /// Not a bit differs, not even between the two forms of zero.
        #[test]
        fn an_ipv4_header_is_mended(mut header in sums::<5>(), new in sums::<5>(), edits: [bool; 5]) {
            header[0] |= 0x4500_0000u32.to_be();
            header[2] &= 0xffff_0000u32.to_be();
            let mut after = header;
            for (at, edit) in edits.into_iter().enumerate().filter(|(at, _)| *at > 0 && *at != 2) {
                after[at] = if edit { new[at] } else { header[at] };
            }
            let field = whole(&bytes(&[&header]));
            prop_assert_eq!(mend(field, difference(&header, &after)), whole(&bytes(&[&after])));
        }

        #[test]
        fn a_tcp_header_and_its_addresses_are_mended(
            before in datagram(6),
            dst in sums::<4>(),
            header in sums::<5>(),
        ) {
            let field = whole(&before.bytes());
            let change = difference(&before.header, &header);
            let moved = difference(&before.dst, &dst);
            let after = Datagram { dst, header, ..before };
            prop_assert_eq!(mend(mend(field, change), moved), whole(&after.bytes()));
        }

        #[test]
        fn a_udp_header_and_its_addresses_are_mended_if_there_is_a_checksum(
            before in datagram(17),
            dst in sums::<4>(),
            header in sums::<5>(),
        ) {
            let field = whole_udp(&before.bytes());
            let change = difference(&before.header, &header);
            let moved = difference(&before.dst, &dst);
            let after = Datagram { dst, header, ..before };
            prop_assert_eq!(mend_udp(mend_udp(field, change), moved), whole_udp(&after.bytes()));
            prop_assert_eq!(mend_udp(mend_udp(0, change), moved), 0);
        }

        #[test]
        fn sum_is_the_reference(bytes: [u8; 40]) {
            prop_assert!(same(u16::from_be(fold(add(0, &words::<10>(&bytes)))), reference(&bytes)));
        }

        #[test]
        fn incremental_equals_full(before: [u32; 10], new: [u32; 5]) {
            let mut after = before;
            after[5..].copy_from_slice(&new);
            let old: [u32; 5] = before[5..].try_into().unwrap();
            let field = finish(add(0, &before));
            let updated = finish(u64::from(!field) + difference(&old, &new));
            prop_assert!(same(updated, finish(add(0, &after))));
        }

        #[test]
        fn differences_add_up(a: [u32; 2], b: [u32; 2]) {
            let parts = difference(&[a[0]], &[b[0]]) + difference(&[a[1]], &[b[1]]);
            prop_assert!(same(fold(difference(&a, &b)), fold(parts)));
        }
    }
}
