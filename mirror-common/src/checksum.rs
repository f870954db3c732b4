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

    proptest! {
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
