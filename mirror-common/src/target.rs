//! What the new host decides: the synthetic client, which plays clients' connections to the new memcached.
//!
//! | module | what it decides |
//! |---|---|
//! | [`noted_syn`] | what a copied SYN is good for |
//! | [`breaker`] | whether connections may be opened at all |
//! | [`copy`] | what to do with a copy that arrives |
//! | [`reply`] | what to do with memcached's replies |

pub mod breaker;
pub mod copy;
pub mod noted_syn;
pub mod reply;
