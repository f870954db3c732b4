//! Ports as they are typed: one, a range, or a list of both.

use std::{fmt, str::FromStr};

/// Ports without gaps between them, at least one, none of them 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is neither a port nor a range like 11211-11220");
        let port = |text: &str| -> Result<u16, String> {
            if !text.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(wrong());
            }
            match text.parse() {
                Ok(0) => Err("port 0 cannot be used".to_owned()),
                Ok(port) => Ok(port),
                Err(_) if text.is_empty() => Err(wrong()),
                Err(_) => Err(format!("{text} is no port: 65535 is the highest")),
            }
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (port(first)?, port(last)?),
            None => (port(text)?, port(text)?),
        };
        if last < first {
            return Err(format!("{text} ends before it begins"));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl PortRange {
    /// Its ports, in order.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        self.first..=self.last
    }

    /// All ports of `ranges`, in order, each once.
    pub fn all(ranges: &[Self]) -> Vec<u16> {
        let mut ports: Vec<u16> = ranges.iter().flat_map(|range| range.ports()).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// The fewest ranges that have these `ports`, which are in order, as text.
    pub fn join(ports: &[u16]) -> String {
        let mut ranges: Vec<Self> = Vec::new();
        for port in ports {
            match ranges.last_mut() {
                Some(range) if range.last.checked_add(1) == Some(*port) => range.last = *port,
                _ => ranges.push(Self { first: *port, last: *port }),
            }
        }
        ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        let all = |texts: &[&str]| {
            let ranges: Vec<PortRange> = texts.iter().map(|text| text.parse().unwrap()).collect();
            PortRange::all(&ranges)
        };
        assert_eq!(all(&["11211"]), [11211]);
        assert_eq!(all(&["5-7", "6", "2"]), [2, 5, 6, 7]);
        assert_eq!(PortRange::join(&all(&["65534-65535", "5-7", "2"])), "2, 5-7, 65534-65535");
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for (text, mentions) in [
            ("", "neither"),
            ("0", "port 0"),
            ("-5", "neither"),
            ("5-", "neither"),
            ("+5", "neither"),
            ("7-5", "before it begins"),
            ("70000", "65535"),
            ("http", "neither"),
        ] {
            let said = text.parse::<PortRange>().unwrap_err();
            assert!(said.contains(mentions), "{text}: {said}");
        }
    }
}
