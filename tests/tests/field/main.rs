//! Situations of the field, a file each: what operators have between a mirror and its wires.

mod bridge_port;
mod gro_list;
mod large_values;
mod macvlan_parent;
mod mptcp;
mod udp_super_packets;
