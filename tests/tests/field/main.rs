//! Situations of the field, a file each: what a user's network, hosts and clients are like. What fails in one of
//! them is marked (`expected::to_fail`), and the mark fails once it is mended.

mod authentication;
mod blind_segments;
mod bridge_port;
mod client_on_the_new_host;
mod cold_keys;
mod fast_open;
mod few_connections;
mod final_verdicts;
mod gro_list;
mod hold_order;
mod idle_timeout;
mod large_values;
mod line_feeds;
mod local_clients;
mod long_batches;
mod macvlan_parent;
mod mptcp;
mod never_answered;
mod one_endpoint_twice;
mod order_between_connections;
mod other_version;
mod passing_by;
mod policy_routes;
mod refused_connects;
mod renamed;
mod replies_by_another_card;
mod route_moves;
mod sampled_pool;
mod server_options;
mod small_mtu;
mod stats_switches;
mod target_is_down;
mod traffic_styles;
mod two_attachments;
mod udp_super_packets;
