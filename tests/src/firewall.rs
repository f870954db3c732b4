//! A host that refuses what arrives, behind the hooks of tc as netfilter is, and by means that every kernel has.
//!
//! ```text
//!   stranger ──▶ eth0 ──▶ tc ingress ──▶ route look-up ──✗    IP, TCP and memcached see nothing
//!   others   ──▶ eth0 ──▶ tc ingress ──▶ route look-up ──▶ memcached
//! ```

use std::net::IpAddr;

use crate::Host;

/// From now on, `host` drops without a word all that arrives at `eth0` from `stranger`, even its ARP requests.
/// Who is to go on sending has to know the host's link-layer address already.
pub fn drop_from(host: &Host, stranger: IpAddr) {
    // The rule for the host's own addresses is the very first, and makes way.
    host.ip(&["rule", "add", "pref", "10", "lookup", "local"]);
    host.ip(&["rule", "del", "pref", "0"]);
    let from = stranger.to_string();
    host.ip(&["rule", "add", "pref", "5", "iif", "eth0", "from", &from, "blackhole"]);
}
