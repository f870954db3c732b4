//! A switch port that passes only what has the host's own addresses (IP source guard), as clouds and fabrics have it.
//!
//! ```text
//!   old ── from old ─────▶ port ──▶ others
//!       └─ from others ──▶ ✗
//! ```

use crate::{Host, Lab};

/// A guarded port, for as long as the lab is there.
#[derive(Debug)]
pub struct SourceGuard<'a>(&'a Lab);

impl<'a> SourceGuard<'a> {
    /// From now on, the switch drops what `host` sends into its port with other addresses than its own.
    pub fn at(lab: &'a Lab, port: &str, host: &Host) -> Self {
        let (v4, v6) = (host.v4(), host.v6());
        lab.switch().nft(&format!(
            "table netdev guard {{
                counter refused {{ }}
                chain arriving {{
                    type filter hook ingress device {port} priority filter;
                    ip saddr != {v4} counter name refused drop;
                    ip6 saddr != {{ ::, fe80::/10, {v6} }} counter name refused drop;
                }}
            }}"
        ));
        Self(lab)
    }

    /// How many packets it dropped.
    pub fn refused(&self) -> u64 {
        let text = self.0.switch().nft("list counter netdev guard refused");
        let mut words = text.split_whitespace().skip_while(|word| *word != "packets");
        words.nth(1).and_then(|count| count.parse().ok()).expect("nft prints how many packets")
    }
}
