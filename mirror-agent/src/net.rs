//! What the network has: interfaces, routes, neighbours, sockets, by netlink.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`address`] | addresses as they are typed, and as keys of BPF maps |
//! | [`netlink`] | interfaces, routes, addresses |
//! | [`offload`] | offloads of an interface that take seals off copies |
//! | [`neighbour`] | link-layer addresses of next hops, asked for in time |
//! | [`sock_diag`] | lists memcached's sockets, and ends those that are mirrored |
//! | [`veth`] | veth pairs of ours |

pub mod address;
pub mod neighbour;
pub mod netlink;
pub mod offload;
pub mod sock_diag;
pub mod veth;
