//! What `detach` says of each attachment.

use super::text::format_duration;
use crate::kernel::pins::Role;

/// What was taken off.
#[derive(Clone, Copy, Debug)]
pub struct Detached<'a> {
    /// The interface.
    pub interface: &'a str,
    /// Which programs.
    pub role: Role,
    /// For how many seconds they ran; `None` where they were never attached in full.
    pub age: Option<u64>,
    /// The version that attached, where it is not this one.
    pub other_version: Option<&'a str>,
}

/// One line, without its end.
pub fn line(what: &Detached<'_>) -> String {
    let Detached { interface, role, age, other_version } = what;
    let by = other_version.map_or(String::new(), |version| format!(" of version {version}"));
    let ran = match age {
        Some(seconds) => format!("it ran for {}", format_duration(*seconds)),
        None => "it was half made".to_owned(),
    };
    format!("{interface}: {role}{by} detached; {ran}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_told_with_its_age() {
        let eth0 = Detached {
            interface: "eth0",
            role: Role::Source,
            age: Some(11_520),
            other_version: None,
        };
        insta::assert_snapshot!(line(&eth0), @"eth0: source detached; it ran for 3h 12m");
        let other = Detached { other_version: Some("9.9.9"), ..eth0 };
        insta::assert_snapshot!(line(&other), @"eth0: source of version 9.9.9 detached; it ran for 3h 12m");
        let half = Detached { age: None, ..eth0 };
        insta::assert_snapshot!(line(&half), @"eth0: source detached; it was half made");
    }
}
