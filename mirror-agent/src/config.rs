//! What the options mean: text that becomes values, and what the kernel's tables say of them.
//!
//! | module | what it knows |
//! |---|---|
//! | [`mapping`] | the syntax and meaning of `--map` |
//! | [`ports`] | ports, ranges and lists of them |
//! | [`selection`] | what a source mirrors of that: clients, a sample, until when |
//! | [`clients`] | prefixes of clients' addresses |
//! | [`sample`] | a share of all connections |
//! | [`rate`] | how much each target is sent |
//! | [`multiply`] | how often each connection is copied |
//! | [`changes`] | what changes when a role is told anew |
//! | [`time`] | times as they are typed, and the kernel's clock |

pub mod changes;
pub mod clients;
pub mod mapping;
pub mod multiply;
pub mod ports;
pub mod rate;
pub mod sample;
pub mod selection;
pub mod time;
