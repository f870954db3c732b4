//! What the network has: interfaces, routes, neighbours, sockets, by netlink.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`address`] | addresses as they are typed, as keys of BPF maps, and networks of them |
//! | [`netlink`] | interfaces, routes, addresses |
//! | [`forwarding`] | has routing tables answer programs, for one device |
//! | [`rules`] | routing rules |
//! | [`offload`] | offloads of an interface that are on |
//! | [`queue`] | how packets queue for an interface |
//! | [`namespace`] | which network namespace this is, and the way into others |
//! | [`neighbour`] | link-layer addresses of next hops, asked for in time |
//! | [`process`] | which sockets belong to one process |
//! | [`sock_diag`] | lists memcached's sockets, and ends those that are mirrored |
//! | [`veth`] | veth pairs of ours |

pub mod address;
pub mod forwarding;
pub mod namespace;
pub mod neighbour;
pub mod netlink;
pub mod offload;
pub mod process;
pub mod queue;
pub mod rules;
pub mod sock_diag;
pub mod veth;
