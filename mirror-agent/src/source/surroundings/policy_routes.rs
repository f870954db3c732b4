//! Routing rules that send copies another way than this host's own packets, or that copies do not follow.
//!
//! Copies are routed as packets that this host forwards: with the client's address as their source, without a mark, and
//! as if they had arrived at a device of the mirror.

use std::{collections::BTreeSet, net::IpAddr};

use crate::net::{address::Prefix, rules::Rule};

/// Rules that are named, at most.
const SHOWN: usize = 4;

/// How copies take a rule that is there for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Like this host's own packets.
    Same,
    /// By the client's address.
    Followed,
    /// Not at all.
    NotFollowed,
}

/// What to say of the rules, where copies go to `targets` and this host has `addresses`.
pub(super) fn notes(
    rules: &[Rule],
    targets: &BTreeSet<IpAddr>,
    addresses: &[IpAddr],
) -> Vec<String> {
    let with = |wanted| {
        let chosen = rules.iter().filter(|rule| effect(rule, targets, addresses) == wanted);
        listed(&chosen.map(ToString::to_string).collect::<Vec<_>>())
    };
    let followed = with(Effect::Followed).map(|rules| {
        format!(
            "copies have clients' addresses, and follow these routing rules by source: {rules}; see that the way there \
             leads to the new host (`ip route show table all`)"
        )
    });
    let not_followed = with(Effect::NotFollowed).map(|rules| {
        format!(
            "copies have no mark, and arrived at a device of the mirror, so that they do not follow these routing \
             rules: {rules}; see that the new host is reached without them (`ip route show table main`)"
        )
    });
    followed.into_iter().chain(not_followed).collect()
}

fn effect(rule: &Rule, targets: &BTreeSet<IpAddr>, addresses: &[IpAddr]) -> Effect {
    let leads_to = |target: &IpAddr| {
        target.is_ipv6() == rule.v6
            && (rule.inverted || rule.to.is_none_or(|prefix| prefix.covers(*target)))
    };
    if !targets.iter().any(leads_to) {
        return Effect::Same;
    }
    // Who uses several addresses has rules for each of his own, from which no client comes.
    let from_clients = rule.from.is_some_and(|prefix| {
        rule.inverted || !addresses.iter().any(|address| prefix == Prefix::only(*address))
    });
    if rule.inverted {
        return if from_clients { Effect::Followed } else { Effect::Same };
    }
    if rule.from.is_some() && !from_clients {
        return Effect::Same;
    }
    let unmarked = rule.mark.is_none_or(|(mark, mask)| mark & mask == 0);
    if !unmarked || rule.arrived_at.is_some() || !rule.other.is_empty() {
        return Effect::NotFollowed;
    }
    if from_clients { Effect::Followed } else { Effect::Same }
}

/// In a line; `None` where there are none.
fn listed(rules: &[String]) -> Option<String> {
    let (shown, more) = rules.split_at(rules.len().min(SHOWN));
    let mut shown = shown.to_vec();
    if !more.is_empty() {
        shown.push(format!("and {} more", more.len()));
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(change: impl FnOnce(&mut Rule)) -> Rule {
        let mut rule = Rule { priority: 100, action: "lookup 7".into(), ..Rule::default() };
        change(&mut rule);
        rule
    }

    fn prefix(address: &str, length: u8) -> Option<Prefix> {
        Some(Prefix(address.parse().unwrap(), length))
    }

    fn judged(rule: &Rule) -> Effect {
        let targets = ["10.0.0.5", "fd00::5"].map(|text| text.parse().unwrap());
        effect(rule, &targets.into(), &["10.0.0.2".parse().unwrap()])
    }

    #[test]
    fn rules_that_every_host_has_are_not_named() {
        for table in ["local", "main", "default"] {
            assert_eq!(judged(&rule(|it| it.action = format!("lookup {table}"))), Effect::Same);
        }
        let targets = BTreeSet::from(["10.0.0.5".parse().unwrap()]);
        assert!(notes(&[rule(|_| {})], &targets, &[]).is_empty());
    }

    #[test]
    fn rules_by_source_are_followed_with_the_clients_address() {
        assert_eq!(judged(&rule(|it| it.from = prefix("10.0.0.0", 8))), Effect::Followed);
        assert_eq!(
            judged(&rule(|it| it.from = prefix("10.0.0.2", 32))),
            Effect::Same,
            "own address"
        );
        assert_eq!(judged(&rule(|it| it.from = prefix("10.0.0.3", 32))), Effect::Followed);
        let elsewhere = |it: &mut Rule| {
            it.from = prefix("10.0.0.0", 8);
            it.to = prefix("192.0.2.0", 24);
        };
        assert_eq!(judged(&rule(elsewhere)), Effect::Same);
        let towards = |it: &mut Rule| {
            it.from = prefix("10.0.0.0", 8);
            it.to = prefix("10.0.0.4", 30);
        };
        assert_eq!(judged(&rule(towards)), Effect::Followed);
    }

    #[test]
    fn rules_by_mark_or_interface_are_not_followed() {
        assert_eq!(judged(&rule(|it| it.mark = Some((0x3000, 0xf000)))), Effect::NotFollowed);
        assert_eq!(
            judged(&rule(|it| it.mark = Some((0, 0xf000)))),
            Effect::Same,
            "no mark is meant"
        );
        assert_eq!(judged(&rule(|it| it.arrived_at = Some("eth0".into()))), Effect::NotFollowed);
        assert_eq!(judged(&rule(|it| it.other = vec!["oif eth1".into()])), Effect::NotFollowed);
        let but_marked = |it: &mut Rule| {
            it.inverted = true;
            it.mark = Some((0xca6c, u32::MAX));
        };
        assert_eq!(
            judged(&rule(but_marked)),
            Effect::Same,
            "as a VPN has it: for all without a mark"
        );
    }

    #[test]
    fn rules_of_a_family_without_a_target_do_not_matter() {
        let v6 = rule(|it| {
            it.v6 = true;
            it.from = prefix("fd01::", 16);
        });
        let targets = BTreeSet::from(["10.0.0.5".parse().unwrap()]);
        assert_eq!(effect(&v6, &targets, &[]), Effect::Same);
        assert_eq!(judged(&v6), Effect::Followed);
    }

    #[test]
    fn each_kind_is_one_line() {
        let mut rules: Vec<Rule> = (1..=6)
            .map(|n| rule(|it| (it.priority, it.from) = (n, prefix("10.1.0.0", 16))))
            .collect();
        rules.push(rule(|it| it.mark = Some((1, u32::MAX))));
        let targets = BTreeSet::from(["10.0.0.5".parse().unwrap()]);
        let said = notes(&rules, &targets, &[]);
        assert_eq!(said.len(), 2);
        assert!(said[0].contains("1 (from 10.1.0.0/16 lookup 7), 2 "), "{}", said[0]);
        assert!(said[0].contains("and 2 more;"), "{}", said[0]);
        assert!(said[1].contains("100 (fwmark 0x1 lookup 7);"), "{}", said[1]);
    }
}
