//! Situations of the field, a file each: what a user's network, hosts and clients are like.

mod bridge_port;
mod gro_list;
mod hold_order;
mod large_values;
mod macvlan_parent;
mod mptcp;
mod udp_super_packets;
