//! Routing rules of this host (`ip rule`).

use std::{fmt, net::IpAddr};

use anyhow::Result;
use futures_util::TryStreamExt as _;
use rtnetlink::{
    IpVersion,
    packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};

use crate::net::netlink::Network;

/// A network by its first address and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix(pub IpAddr, pub u8);

impl Prefix {
    /// Whether `address` is in it.
    pub fn covers(&self, address: IpAddr) -> bool {
        let bits = |address| match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let ((own, own_width), (other, width)) = (bits(self.0), bits(address));
        let different = (own ^ other).leading_zeros();
        own_width == width && different >= u32::from(self.1)
    }

    /// Whether it is this address and no other.
    pub fn is_only(&self, address: IpAddr) -> bool {
        self.0 == address && self.1 == if address.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address, length) = self;
        match (address, length) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => write!(f, "{address}"),
            _ => write!(f, "{address}/{length}"),
        }
    }
}

/// One rule: which packets it is for, and what becomes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its place among all.
    pub priority: u32,
    /// Whether it is for IPv6.
    pub v6: bool,
    /// Whether it is for all packets but those that are named.
    pub inverted: bool,
    /// Packets with these source addresses.
    pub from: Option<Prefix>,
    /// Packets to these addresses.
    pub to: Option<Prefix>,
    /// Packets with this mark, in these bits of it.
    pub mark: Option<(u32, u32)>,
    /// Packets that arrived at this interface.
    pub arrived_at: Option<String>,
    /// Packets that are to leave by this interface, packets of these users, or of a tunnel: as `ip rule` has it.
    pub other: Vec<String>,
    /// What becomes of them, as `ip rule` has it.
    pub action: String,
}

impl Rule {
    /// All of IPv4 and IPv6.
    ///
    /// # Errors
    ///
    /// Where the kernel does not list them.
    pub async fn all(network: &Network) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let v6 = matches!(version, IpVersion::V6);
            let rules: Vec<RuleMessage> =
                network.handle.rule().get(version).execute().try_collect().await?;
            found.extend(rules.iter().map(|rule| Self::of(rule, v6)));
        }
        Ok(found)
    }

    fn of(message: &RuleMessage, v6: bool) -> Self {
        let header = &message.header;
        let mut rule =
            Self { v6, inverted: header.flags.contains(RuleFlags::Invert), ..Self::default() };
        let (mut mark, mut mask, mut table, mut goto) =
            (None, u32::MAX, u32::from(header.table), 0);
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Priority(priority) => rule.priority = *priority,
                RuleAttribute::Source(address) => {
                    rule.from = Some(Prefix(*address, header.src_len))
                }
                RuleAttribute::Destination(address) => {
                    rule.to = Some(Prefix(*address, header.dst_len));
                }
                RuleAttribute::FwMark(number) => mark = Some(*number),
                RuleAttribute::FwMask(number) => mask = *number,
                RuleAttribute::Iifname(name) => rule.arrived_at = Some(name.clone()),
                RuleAttribute::Oifname(name) => rule.other.push(format!("oif {name}")),
                RuleAttribute::UidRange(users) => {
                    rule.other.push(format!("uidrange {}-{}", users.start, users.end));
                }
                // Zero is for none.
                RuleAttribute::TunId(id) if *id != 0 => rule.other.push(format!("tun_id {id}")),
                RuleAttribute::Table(number) => table = *number,
                RuleAttribute::Goto(number) => goto = *number,
                _ => {}
            }
        }
        // A mask of zero is for none.
        rule.mark = (mask != 0).then(|| mark.map(|mark| (mark, mask))).flatten();
        rule.action = match header.action {
            RuleAction::ToTable => format!("lookup {}", table_name(table)),
            RuleAction::Goto => format!("goto {goto}"),
            RuleAction::Nop => "nop".to_owned(),
            RuleAction::Blackhole => "blackhole".to_owned(),
            RuleAction::Unreachable => "unreachable".to_owned(),
            RuleAction::Prohibit => "prohibit".to_owned(),
            _ => "unknown".to_owned(),
        };
        rule
    }
}

/// What `ip` calls the tables that every host has.
fn table_name(table: u32) -> String {
    match table {
        253 => "default".to_owned(),
        254 => "main".to_owned(),
        255 => "local".to_owned(),
        number => number.to_string(),
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.inverted {
            words.push("not".to_owned());
        }
        words.extend(self.from.map(|prefix| format!("from {prefix}")));
        words.extend(self.to.map(|prefix| format!("to {prefix}")));
        words.extend(self.mark.map(|(mark, mask)| match mask {
            u32::MAX => format!("fwmark {mark:#x}"),
            _ => format!("fwmark {mark:#x}/{mask:#x}"),
        }));
        words.extend(self.arrived_at.as_ref().map(|name| format!("iif {name}")));
        words.extend(self.other.iter().cloned());
        words.push(self.action.clone());
        write!(f, "{} ({})", self.priority, words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str, length: u8) -> Prefix {
        Prefix(address.parse().unwrap(), length)
    }

    #[test]
    fn prefixes_cover_their_family() {
        for (net, length, address, expected) in [
            ("10.0.0.0", 8, "10.1.2.3", true),
            ("10.0.0.0", 8, "11.1.2.3", false),
            ("0.0.0.0", 0, "11.1.2.3", true),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("10.1.2.3", 32, "10.1.2.2", false),
            ("fd00::", 8, "fd12::1", true),
            ("::", 0, "10.0.0.1", false),
            ("0.0.0.0", 0, "::1", false),
            ("fd00::1", 128, "fd00::1", true),
        ] {
            let covers = prefix(net, length).covers(address.parse().unwrap());
            assert_eq!(covers, expected, "{net}/{length} {address}");
        }
    }

    #[test]
    fn rules_are_written_as_ip_has_them() {
        let rule = Rule {
            priority: 100,
            inverted: true,
            from: Some(prefix("10.0.0.0", 8)),
            to: Some(prefix("fd00::1", 128)),
            mark: Some((0x3000, 0xf000)),
            arrived_at: Some("eth0".into()),
            other: vec!["oif eth1".into()],
            action: "lookup 7".into(),
            ..Rule::default()
        };
        assert_eq!(
            rule.to_string(),
            "100 (not from 10.0.0.0/8 to fd00::1 fwmark 0x3000/0xf000 iif eth0 oif eth1 lookup 7)"
        );
    }
}
