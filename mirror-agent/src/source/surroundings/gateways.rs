//! Targets behind a router: what it cannot forward, it tells the source of a copy, which is a client.

use super::Ways;

/// Targets that are named, at most.
const SHOWN: usize = 3;

/// What to say of the ways to targets.
pub(super) fn note(ways: &Ways) -> Option<String> {
    let behind: Vec<String> = ways
        .iter()
        .filter(|(target, way)| way.next_hop != **target)
        .map(|(target, way)| format!("{target} (by {})", way.next_hop))
        .collect();
    let (shown, more) = behind.split_at(behind.len().min(SHOWN));
    let mut targets = shown.join(", ");
    if !more.is_empty() {
        targets += &format!(" and {} more targets", more.len());
    }
    let are = if behind.len() == 1 { "is" } else { "are" };
    (!behind.is_empty()).then(|| {
        format!(
            "{targets} {are} behind a router: of copies that it cannot forward it sends ICMP errors to clients, which \
             this host cannot stop; clients ignore them, and where they disturb they can be filtered there"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::surroundings::Way;

    #[test]
    fn only_targets_behind_a_router_are_named() {
        let way = |target: &str, hop: &str| {
            let next_hop = hop.parse().unwrap();
            (target.parse().unwrap(), Way { index: 2, next_hop, mtu: None })
        };
        let near = Ways::from([way("10.0.0.5", "10.0.0.5"), way("fd00::5", "fd00::5")]);
        assert_eq!(note(&near), None);
        let one = Ways::from([way("10.0.0.5", "10.0.0.5"), way("10.1.0.5", "10.0.0.1")]);
        assert!(
            note(&one).is_some_and(|said| said.starts_with("10.1.0.5 (by 10.0.0.1) is behind"))
        );
        let many = (1..=5).map(|n| way(&format!("10.1.0.{n}"), "10.0.0.1")).collect();
        let said = note(&many).unwrap();
        assert!(said.contains("10.1.0.3 (by 10.0.0.1) and 2 more targets are behind"), "{said}");
    }
}
