//! Routing rules of this host (`ip rule`).

use std::fmt;

use anyhow::Result;
use futures_util::TryStreamExt as _;
use rtnetlink::{
    IpVersion,
    packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};

use crate::net::{address::Prefix, netlink::Network};

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
