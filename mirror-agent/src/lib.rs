//! The agent: loads the kernel programs, pins them, reads their counters, and takes them off again.
//!
//! The data path needs no agent while it runs. Every command is one short process.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`cli`] | what can be typed |
//! | [`command`] | one verb per file: arguments to calls to output |
//! | [`mapping`] | the syntax and meaning of `--map` |
//! | [`choice`] | what a source mirrors of that: clients, a sample, until when |
//! | [`clients`] | prefixes of clients' addresses |
//! | [`tables`] | maps in the kernel's tables, and changing all at once |
//! | [`bank`] | which of two sets of tables is in force |
//! | [`sample`] | a share of all connections |
//! | [`rate`] | how much each target is sent |
//! | [`copies`] | how often each connection is copied |
//! | [`time`] | times as they are typed, and the kernel's clock |
//! | [`preflight`] | what the kernel and the user must be able to do |
//! | [`pins`] | where programs and maps live on the BPF file system, and the lock |
//! | [`object`] | the kernel objects: load, settings, maps |
//! | [`hooks`] | programs on interfaces: attach, replace in place |
//! | [`clsact`] | the same before Linux 6.6, by filters |
//! | [`xdp`] | XDP programs on interfaces |
//! | [`fallback`] | what is used where a kernel or a driver lacks something |
//! | [`network`] | interfaces, routes, addresses, by netlink |
//! | [`offload`] | offloads of an interface that take seals off copies |
//! | [`neighbour`] | link-layer addresses of next hops, asked for in time |
//! | [`hold_device`] | the queue in which the target's copies wait |
//! | [`feeders`] | who may feed copies to a target |
//! | [`senders`] | whose packets a guard drops |
//! | [`receive_buffer`] | gives memcached's listeners room for large values, and takes it back |
//! | [`retire`] | takes ports off a target without a leak |
//! | [`farewell`] | tells targets that no more copies come |
//! | [`sockets`] | lists memcached's sockets, and ends those that are mirrored |
//! | [`packet_lines`] | what the programs say of packets |
//! | [`counters`] | reading the per-CPU counters |
//! | [`endpoint`] | a memcached as it is typed |
//! | [`memcached`] | memcached's text protocol: a codec, and a connection |
//! | [`keys`] | which of a cache's items are shown |
//! | [`listing`] | a server's list of its items |
//! | [`compare`] | what two memcacheds hold, and whether it is the same |
//! | [`spool`] | a queue that never makes its writer wait |
//! | [`render`] | counters and states as tables or JSON |

pub mod bank;
pub mod choice;
pub mod cli;
pub mod clients;
pub mod clsact;
pub mod command;
pub mod compare;
pub mod copies;
pub mod counters;
pub mod endpoint;
pub mod fallback;
pub mod farewell;
pub mod feeders;
pub mod hold_device;
pub mod hooks;
pub mod keys;
pub mod listing;
pub mod mapping;
pub mod memcached;
pub mod neighbour;
pub mod network;
pub mod object;
pub mod offload;
pub mod packet_lines;
pub mod pins;
pub mod preflight;
pub mod rate;
pub mod receive_buffer;
pub mod render;
pub mod retire;
pub mod sample;
pub mod senders;
pub mod sockets;
pub mod spool;
pub mod tables;
pub mod time;
pub mod xdp;
