//! A memcached as it is typed: `HOST[:PORT]`.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// memcached's own.
const PORT: u16 = 11211;

/// A server by name or address. Names are looked up when it is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected a name or an address, and a port where it is not {PORT}, like cache1, 10.0.0.5:11212 \
                 or [fd00::5]:11211, not '{text}'"
            )
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<Ipv6Addr>().map_err(|_| wrong())?;
                (host, port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
            None if port.is_empty() => PORT,
            None => return Err(wrong()),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || "/[]=".contains(c)) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        for (text, full) in [
            ("cache1", "cache1:11211"),
            ("cache1.example:1", "cache1.example:1"),
            ("10.0.0.5", "10.0.0.5:11211"),
            ("10.0.0.5:11212", "10.0.0.5:11212"),
            ("[fd00::5]", "[fd00::5]:11211"),
            ("[fd00::5]:11212", "[fd00::5]:11212"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), full);
            assert_eq!(full.parse(), Ok(endpoint));
        }
    }

    #[test]
    fn anything_else() {
        for text in [
            "",
            ":11211",
            "cache1:",
            "cache1:0",
            "cache1:65536",
            "cache1:x",
            "fd00::5",
            "[fd00::5",
            "[]:1",
            "[cache1]:1",
            "[fd00::5]1",
            "http://cache1",
            "a b",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
