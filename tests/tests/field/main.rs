//! Situations of the field, a file each: what a user's network, hosts and clients are like. What fails in one of
//! them is marked (`expected::to_fail`), and the mark fails once it is mended.

mod bridge_port;
mod gro_list;
mod hold_order;
mod large_values;
mod macvlan_parent;
mod mptcp;
mod one_endpoint_twice;
mod refused_connects;
mod replies_by_another_card;
mod two_attachments;
mod udp_super_packets;
