//! What memcacheds hold: `keys` and `compare`, which ask servers and need no kernel programs.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`filter`] | which of a cache's items are shown |
//! | [`listing`] | a server's list of its items |
//! | [`spool`] | a queue that never makes its writer wait |
//! | [`compare`] | what two memcacheds hold, and whether it is the same |

pub mod compare;
pub mod filter;
pub mod listing;
pub mod spool;
