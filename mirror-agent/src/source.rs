//! The source, on the old host: its tables in the kernel, and what goes with them.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`config`] | what it was told |
//! | [`copy_device`] | the device whose egress makes and sends copies |
//! | [`mappings`] | maps in the kernel's tables, and changing all at once |
//! | [`generation`] | which of two sets of tables is in force |
//! | [`selection_table`] | what is mirrored, in the kernel's tables |
//! | [`plan`] | maps with their ways to the targets |
//! | [`teardown`] | tells targets that no more copies come |

pub mod config;
pub mod copy_device;
pub mod generation;
pub mod mappings;
pub mod plan;
pub mod selection_table;
pub mod teardown;
