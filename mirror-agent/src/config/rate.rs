//! The syntax of `--rate-limit`: how much each target is sent in a second.

use std::{fmt, str::FromStr};

use anyhow::{Result, bail};

const PACKETS: [(&str, u32); 3] = [("mpps", 1_000_000), ("kpps", 1000), ("pps", 1)];
const BITS: [(&str, u32); 3] = [("gbit", 1_000_000), ("mbit", 1000), ("kbit", 1)];

/// One `--rate-limit`; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Packets a second.
    Packets(u32),
    /// Kilobits (1000 bits) a second.
    Kbits(u32),
}

/// What is in force; 0 for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Packets a second.
    pub packets: u32,
    /// Kilobits (1000 bits) a second.
    pub kbits: u32,
}

impl Limits {
    /// Of what was typed.
    ///
    /// # Errors
    ///
    /// Where a kind is there twice.
    pub fn new(rates: &[Rate]) -> Result<Self> {
        let mut limits = Self::default();
        for rate in rates {
            let (limit, value) = match rate {
                Rate::Packets(value) => (&mut limits.packets, value),
                Rate::Kbits(value) => (&mut limits.kbits, value),
            };
            if *limit != 0 {
                bail!("--rate-limit {rate}: there is one of this kind already");
            }
            *limit = *value;
        }
        Ok(limits)
    }

    /// What was typed for them.
    pub fn rates(self) -> Vec<Rate> {
        [Rate::Packets(self.packets), Rate::Kbits(self.kbits)]
            .into_iter()
            .filter(|rate| !matches!(rate, Rate::Packets(0) | Rate::Kbits(0)))
            .collect()
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected a rate like 50kpps or 100mbit (pps, kpps, mpps, kbit, mbit, gbit), not '{text}'"
            )
        };
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = text.split_at(split);
        let number: u32 = digits.parse().map_err(|_| wrong())?;
        let of = |units: &[(&str, u32)]| {
            units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, times)| *times)
        };
        let (times, rate): (u32, fn(u32) -> Self) = match (of(&PACKETS), of(&BITS)) {
            (Some(times), _) => (times, Self::Packets),
            (_, Some(times)) => (times, Self::Kbits),
            _ => return Err(wrong()),
        };
        match number.checked_mul(times) {
            Some(0) => Err(format!("{text} is nothing: use --dry-run, or `detach`")),
            Some(value) => Ok(rate(value)),
            None => Err(format!("{text} is more than can be counted")),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, units) = match self {
            Self::Packets(value) => (value, &PACKETS),
            Self::Kbits(value) => (value, &BITS),
        };
        let (unit, times) =
            units.iter().find(|(_, times)| value % times == 0).unwrap_or(&units[units.len() - 1]);
        write!(f, "{}{unit}", value / times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_back() {
        for (text, expected, shown) in [
            ("50000pps", Rate::Packets(50_000), "50kpps"),
            ("1500pps", Rate::Packets(1500), "1500pps"),
            ("2Mpps", Rate::Packets(2_000_000), "2mpps"),
            ("100Mbit", Rate::Kbits(100_000), "100mbit"),
            ("10gbit", Rate::Kbits(10_000_000), "10gbit"),
            ("64kbit", Rate::Kbits(64), "64kbit"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate, rate.to_string().as_str()), (expected, shown));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, mentions) in [
            ("", "like 50kpps"),
            ("50", "like 50kpps"),
            ("kpps", "like 50kpps"),
            ("1.5mbit", "like 50kpps"),
            ("-1pps", "like 50kpps"),
            ("5MB", "like 50kpps"),
            ("0pps", "nothing"),
            ("5000000gbit", "more than"),
        ] {
            let said = text.parse::<Rate>().unwrap_err();
            assert!(said.contains(mentions), "{text}: {said}");
        }
        let rates = ["1pps", "2pps"].map(|text| text.parse().unwrap());
        assert!(Limits::new(&rates).is_err());
    }

    #[test]
    fn limits_are_what_was_typed() {
        let rates = ["1pps", "2mbit"].map(|text| text.parse().unwrap());
        assert_eq!(Limits::new(&rates).unwrap().rates(), rates);
        assert_eq!(Limits::default().rates(), []);
    }
}
