//! What the options mean: text that becomes values, and what the kernel's tables say of them.
//!
//! | module | what it knows |
//! |---|---|
//! | [`mapping`] | the syntax and meaning of `--map` |
//! | [`selection`] | what a source mirrors of that: clients, a sample, until when |
//! | [`clients`] | prefixes of clients' addresses |
//! | [`sample`] | a share of all connections |
//! | [`rate`] | how much each target is sent |
//! | [`multiply`] | how often each connection is copied |
//! | [`time`] | times as they are typed, and the kernel's clock |

pub mod clients;
pub mod mapping;
pub mod multiply;
pub mod rate;
pub mod sample;
pub mod selection;
pub mod time;
