//! Offloads of an interface that take seals off copies, or that join what cannot be mirrored then.

use std::collections::BTreeSet;

/// The kernel's names of GRO by lists (`NETIF_F_GRO_FRAGLIST`), of GRO for datagrams that are forwarded
/// (`NETIF_F_GRO_UDP_FWD`), and of LRO.
const GRO_LIST: &str = "rx-gro-list";
const GRO_UDP: &str = "rx-udp-gro-forwarding";
const LRO: &str = "rx-lro";

/// What has to be changed at `interface` before all copies are sealed.
pub(super) fn harmful(interface: &str, active: &BTreeSet<String>) -> Vec<String> {
    let on = active.contains(GRO_LIST).then(|| {
        format!(
            "{GRO_LIST} is on: of TCP segments that arrive in a row, only the first copy is sealed, \
             and the new host's stack answers the others to the client; run `ethtool -K {interface} \
             {GRO_LIST} off`"
        )
    });
    on.into_iter().collect()
}

/// What is not mirrored while an offload of `interface` is on.
pub(super) fn notes(interface: &str, active: &BTreeSet<String>) -> Vec<String> {
    let mut notes = Vec::new();
    if active.contains(GRO_UDP) {
        notes.push(format!(
            "{GRO_UDP} is on: UDP requests that arrive in a row for a memcached in a container are joined, and not \
             mirrored (`skipped_udp_super`); run `ethtool -K {interface} {GRO_UDP} off`"
        ));
    }
    if active.contains(LRO) {
        notes.push(format!(
            "{LRO} is on: segments that the interface joined may not be cut again as they were, and such copies are \
             lost; run `ethtool -K {interface} lro off`"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_is_named_with_its_remedy() {
        let on = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let usual = on(&["rx-gro", "tx-udp-segmentation"]);
        assert!(harmful("eth0", &usual).is_empty() && notes("eth0", &usual).is_empty());
        assert!(
            harmful("eth0", &on(&[GRO_LIST]))[0].ends_with("`ethtool -K eth0 rx-gro-list off`")
        );
        let said = notes("eth0", &on(&[GRO_UDP, LRO]));
        assert!(said[0].ends_with("`ethtool -K eth0 rx-udp-gro-forwarding off`"), "{said:?}");
        assert!(said[1].ends_with("`ethtool -K eth0 lro off`"), "{said:?}");
    }
}
