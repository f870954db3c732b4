//! The agent: loads the kernel programs, pins them, reads their counters, and takes them off again.
//!
//! The data path needs no agent while it runs. Every command is one short process.
//!
//! | room | what is in it |
//! |---|---|
//! | [`command`] | one verb per file: arguments to calls to output |
//! | [`cli`] | what can be typed |
//! | [`exit`] | what the process ends with |
//! | [`output`] | counters and states as tables or JSON |
//! | [`inspect`] | what memcacheds hold: `keys` and `compare` |
//! | [`lifecycle`] | what verbs share: what is attached, and taking it off |
//! | [`stats`] | what the counters say |
//! | [`source`], [`target`], [`guard`] | the tables of each role, and what goes with them |
//! | [`config`] | what the options mean |
//! | [`kernel`] | what the kernel has: programs, BPF maps, pins, hooks |
//! | [`net`] | what the network has: interfaces, routes, neighbours, sockets |
//! | [`memcached`] | memcached's text protocol: a codec, and a connection |
//!
//! A room uses only those below it (`cargo xtask tidy` checks that).

pub mod cli;
pub mod command;
pub mod config;
pub mod exit;
pub mod guard;
pub mod inspect;
pub mod kernel;
pub mod lifecycle;
pub mod memcached;
pub mod net;
pub mod output;
pub mod source;
pub mod stats;
pub mod target;
