//! What has to hold for every input: one function for each fuzz target, which panics where it does not.
//!
//! The targets in `fuzz/targets` give them what libFuzzer makes up, on nightly. `cargo test` gives them
//! the corpus in `fuzz/corpus`, on stable. Each says what it met, so that the test can see that the
//! corpus still meets everything. The packets in it are those of a real memcached and its clients, some
//! of them bent; each file of `flow` is the story that its name tells, and each of `codec` what servers of several
//! versions said.
//!
//! | function | input |
//! |---|---|
//! | [`parse::check`] | a packet from its Ethernet header on |
//! | [`boundary::check`] | the first bytes of a segment |
//! | [`seal::check`] | magic, addresses, headers, payload |
//! | [`flow::check`] | what happens to one flow, eight bytes for each event |
//! | [`codec::check`] | where to cut, and what a memcached says |

pub mod boundary;
mod bytes;
pub mod codec;
pub mod flow;
pub mod parse;
pub mod seal;
