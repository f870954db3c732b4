//! What changes when a role is told anew: each setting, old and new, and what is added and removed.

use std::fmt::Display;

/// What a role was told, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    settings: Vec<(&'static str, String)>,
    items: Vec<(&'static str, String)>,
}

impl Described {
    /// With a setting, which always has a value.
    #[must_use]
    pub fn setting(mut self, name: &'static str, value: impl Display) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }

    /// With items of a kind, of which there may be any number.
    #[must_use]
    pub fn items(
        mut self,
        kind: &'static str,
        items: impl IntoIterator<Item = impl Display>,
    ) -> Self {
        self.items.extend(items.into_iter().map(|item| (kind, item.to_string())));
        self
    }

    /// What is different in `after`, a line each.
    pub fn changes_to(&self, after: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (kind, item) in after.items.iter().filter(|item| !self.items.contains(item)) {
            lines.push(format!("{kind} {item} added"));
        }
        for (kind, item) in self.items.iter().filter(|item| !after.items.contains(item)) {
            lines.push(format!("{kind} {item} removed"));
        }
        for (name, new) in &after.settings {
            let old = self.settings.iter().find(|(known, _)| known == name).map(|(_, old)| old);
            if let Some(old) = old.filter(|old| *old != new) {
                lines.push(format!("{name} {old} → {new}"));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_said() {
        let before = Described::default()
            .items("port", [1, 2])
            .setting("magic", "0x1")
            .setting("sample", "10%");
        let after = Described::default()
            .items("port", [2, 3])
            .setting("magic", "0x2")
            .setting("sample", "10%");
        assert_eq!(
            before.changes_to(&after),
            ["port 3 added", "port 1 removed", "magic 0x1 → 0x2"]
        );
        assert!(before.changes_to(&before).is_empty());
    }
}
