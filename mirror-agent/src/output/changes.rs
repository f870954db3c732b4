//! What changed at an attachment.

/// A paragraph for `interface`: each change in a line, and a head for what follows.
pub fn changed(interface: &str, changes: &[String]) -> String {
    if changes.is_empty() {
        return format!("{interface}: nothing changed; attached with\n");
    }
    let lines: String = changes.iter().map(|change| format!("  {change}\n")).collect();
    format!("{interface}: changed\n{lines}{interface}: attached with\n")
}

/// A line for `interface` where another version's attachment was replaced.
pub fn replaced(interface: &str, version: Option<&str>) -> String {
    version.map_or_else(String::new, |version| {
        format!("{interface}: was attached by {version}; replaced\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_before_what_is() {
        let one = changed("eth0", &["magic 0x1 → 0x2".to_owned()]);
        insta::assert_snapshot!(one, @r"
        eth0: changed
          magic 0x1 → 0x2
        eth0: attached with
        ");
        insta::assert_snapshot!(changed("eth0", &[]), @"eth0: nothing changed; attached with");
    }
}
