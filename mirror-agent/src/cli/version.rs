//! What `--version` says: what a report of a fault has to begin with.

use std::sync::LazyLock;

use mirror_common::abi::Meta;

/// Version, layout of what the kernel's tables hold, and the commit, where whoever built this said which
/// (`MIRROR_COMMIT`). Nothing looks at a checkout: the same sources give the same binary.
pub(super) fn text() -> &'static str {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| of(env!("CARGO_PKG_VERSION"), option_env!("MIRROR_COMMIT")));
    &TEXT
}

fn of(version: &str, commit: Option<&str>) -> String {
    let commit = commit.map_or(String::new(), |commit| format!(", commit {commit}"));
    format!("{version} (ABI {}{commit})", Meta::ABI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_there_if_it_is_known() {
        let abi = Meta::ABI;
        assert_eq!(of("0.1.0", None), format!("0.1.0 (ABI {abi})"));
        assert_eq!(of("0.1.0", Some("abc1234")), format!("0.1.0 (ABI {abi}, commit abc1234)"));
    }
}
