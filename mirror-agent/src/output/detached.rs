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
    /// How many connections targets were told to close.
    pub told: usize,
}

/// One line, without its end.
pub fn line(what: &Detached<'_>) -> String {
    let Detached { interface, role, age, other_version, told } = what;
    let by = other_version.map_or(String::new(), |version| format!(" of version {version}"));
    let ran = match age {
        Some(seconds) => format!("it ran for {}", format_duration(*seconds)),
        None => "it was half made".to_owned(),
    };
    let told = match told {
        0 => String::new(),
        1 => "; targets were told to close 1 connection".to_owned(),
        count => format!("; targets were told to close {count} connections"),
    };
    format!("{interface}: {role}{by} detached; {ran}{told}")
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
            told: 0,
        };
        insta::assert_snapshot!(line(&eth0), @"eth0: source detached; it ran for 3h 12m");
        let other = Detached { other_version: Some("9.9.9"), ..eth0 };
        insta::assert_snapshot!(line(&other), @"eth0: source of version 9.9.9 detached; it ran for 3h 12m");
        let told = Detached { told: 31, ..eth0 };
        insta::assert_snapshot!(line(&told), @"eth0: source detached; it ran for 3h 12m; targets were told to close 31 connections");
        let half = Detached { age: None, ..eth0 };
        insta::assert_snapshot!(line(&half), @"eth0: source detached; it was half made");
    }
}
