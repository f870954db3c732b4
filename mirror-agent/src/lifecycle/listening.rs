//! Whether anything listens on the ports that a mirror is about: a wrong number is the likeliest mistake.

use std::collections::BTreeSet;

use crate::{config::ports::PortRange, kernel::pins::Role, net::sock_diag};

/// Warns, in one line, of those of `ports` on which nothing listens on this host.
pub fn warn_if_nothing_listens(role: Role, ports: impl IntoIterator<Item = u16>) {
    let open = match sock_diag::open_ports() {
        Ok(open) => open,
        Err(error) => return log::debug!("cannot tell which ports are open ({error:#})"),
    };
    let silent = silent(&open, ports);
    if !silent.is_empty() {
        log::warn!("{}", warning(role, &PortRange::join(&silent)));
    }
}

/// Those of `ports`, each once and in order, that are not open.
fn silent(open: &BTreeSet<u16>, ports: impl IntoIterator<Item = u16>) -> Vec<u16> {
    ports
        .into_iter()
        .filter(|port| !open.contains(port))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn warning(role: Role, port: &str) -> String {
    match role {
        Role::Target => format!(
            "port {port}: nothing listens on it on this host; unless its memcached is in a container, no copy is \
             applied; when it runs, type `drop` again, or large values wait on new connections"
        ),
        Role::Source => format!(
            "port {port}: nothing listens on it on this host: nothing is copied until something does; is it the port \
             that clients connect to? Where its memcached is in a container, or on another host to which this one \
             passes packets on, say --forwarded"
        ),
        Role::Guard => format!(
            "port {port}: nothing listens on it on this host; unless its memcached is in a container, nothing is \
             mirrored; is it the port that clients connect to?"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silent_port_is_named_once() {
        let open = BTreeSet::from([11211, 11213]);
        assert_eq!(silent(&open, [11214, 11211, 11212, 11214]), [11212, 11214]);
    }
}
