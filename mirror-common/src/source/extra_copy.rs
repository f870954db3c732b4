//! `--copies`: a connection appears at a target several times, by other clients' ends.
//!
//! Copy 0 has the client's own end. What stands for it in the others follows from the client's address and
//! port and the copy's number alone, so that no state decides. Without a pool of addresses it is another
//! port of the client's: the upper half of all ports, which most clients use, changes places with the lower.
//! With a pool it is another address: 16 for each client, as far as there are so many. Two connections can be given one end; a table of owners sees that, and
//! the second is not sent.

use crate::abi::{Address, MAX_COPIES, Owner, Selection};

/// An end belongs to a connection that was silent for so many seconds no longer than that.
pub const IDLE: u32 = 60;

/// What stands for the client's end in copy number `copy`: address, and port in network byte order, which is 0
/// where there is none. Number 0 is the client itself.
#[inline(always)]
pub fn of(
    selection: &Selection,
    family: u8,
    client: &Address,
    port: u16,
    copy: u32,
) -> (Address, u16) {
    if copy == 0 {
        return (*client, port);
    }
    let (pool, mask) = if family == 4 {
        (&selection.pool_v4, selection.pool_v4_mask)
    } else {
        (&selection.pool_v6, selection.pool_v6_mask)
    };
    if mask == 0 {
        return (*client, port ^ pattern(copy).to_be());
    }
    // Room for all copies that there can be, so that ends stay when their number changes.
    let place = u32::from_be(client[3]).wrapping_mul(MAX_COPIES).wrapping_add(copy) & mask;
    ([pool[0], pool[1], pool[2], pool[3] | place.to_be()], port)
}

/// Which bits of a port change. The first eight change the uppermost.
#[inline(always)]
const fn pattern(copy: u32) -> u16 {
    let number = if copy <= 8 { 7 + copy } else { copy - 8 };
    (number << 12) as u16
}

/// What becomes of a packet that has an end which may be somebody's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It is this connection's, and its owner is to be written down.
    Write,
    /// It is this connection's, as is known.
    Known,
    /// It is another's: a collision.
    Taken,
}

/// Whose an end is that `owner` was written down for, when a packet of `me` has it; `me.seen` is the present. A
/// client's own end is its own, whoever had it.
#[inline(always)]
pub fn claim(owner: Option<&Owner>, me: &Owner, own_end: bool) -> Claim {
    let Some(owner) = owner else { return Claim::Write };
    let idle = me.seen.wrapping_sub(owner.seen);
    if owner.addr == me.addr && owner.port == me.port {
        return if idle == 0 { Claim::Known } else { Claim::Write };
    }
    if own_end || idle >= IDLE { Claim::Write } else { Claim::Taken }
}

#[cfg(test)]
mod tests;
