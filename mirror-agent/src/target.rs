//! The target, on the new host: its tables in the kernel, and what goes with them.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`config`] | what it was told |
//! | [`one_mirror`] | the table of connections that all targets of this host share |
//! | [`ports`] | ports that are served, and taking them off without a leak |
//! | [`allowed_macs`] | who may send copies |
//! | [`hold_device`] | the queue in which copies wait |
//! | [`ways_out`] | the program that drops replies, at every interface |
//! | [`receive_buffer`] | gives memcached's listeners room for large values, and takes it back |

pub mod allowed_macs;
pub mod config;
pub mod hold_device;
pub mod one_mirror;
pub mod ports;
pub mod receive_buffer;
pub mod ways_out;
