//! What the old host decides about a packet that a client sent.
//!
//! | module | what it decides |
//! |---|---|
//! | [`select`] | which of the packets for a map are mirrored: clients, a sample, until when |
//! | [`taken`] | whether this host takes a segment |
//! | [`rate_limit`] | which flows are left out where a target has a rate limit |
//! | [`cut`] | how a segment is cut that the path to a target does not take |
//! | [`extra_copy`] | by which endpoint each of several copies of a connection is sent |

pub mod cut;
pub mod extra_copy;
pub mod rate_limit;
pub mod select;
pub mod taken;
