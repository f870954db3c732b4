//! The syntax of `--sample`, a share of all connections or clients, and of `--sample-by`.

use std::{fmt, str::FromStr};

use clap::ValueEnum;
use mirror_common::abi::{ALL_FLOWS, BY_CLIENT_ADDRESS};

/// Of how many in [`ALL_FLOWS`]; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample(pub u32);

impl Sample {
    /// Every connection.
    pub const ALL: Self = Self(ALL_FLOWS);
    /// What one per cent is.
    const PER_CENT: f64 = ALL_FLOWS as f64 / 100.0;

    /// In per cent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / Self::PER_CENT
    }
}

/// What a sample takes as a whole, or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SampleBy {
    /// One connection
    Connection,
    /// All connections of a client's address
    ClientAddress,
}

impl SampleBy {
    /// As it is typed, and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::ClientAddress => "client-address",
        }
    }

    /// In the kernel's table.
    pub(crate) const fn to_kernel(self) -> u32 {
        match self {
            Self::Connection => 0,
            Self::ClientAddress => BY_CLIENT_ADDRESS,
        }
    }

    /// What the kernel's table says.
    pub(crate) const fn from_kernel(number: u32) -> Self {
        match number {
            BY_CLIENT_ADDRESS => Self::ClientAddress,
            _ => Self::Connection,
        }
    }
}

impl fmt::Display for SampleBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a share like 10% or 0.5%, not '{text}'");
        let digits = text.strip_suffix('%').ok_or_else(wrong)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(wrong());
        }
        let percent: f64 = digits.parse().map_err(|_| wrong())?;
        let parts = percent * Self::PER_CENT;
        if percent > 100.0 {
            return Err(format!("{text} is more than all, which is 100%"));
        }
        if percent == 0.0 {
            return Err(format!("{text} is nothing: the least is 0.0001%"));
        }
        // No power of two divides a decimal: some digits are beyond what a number holds.
        if (parts - parts.round()).abs() > 1e-6 {
            return Err(format!("{text} is finer than 0.0001%"));
        }
        Ok(Self(parts.round() as u32))
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_back() {
        for (text, parts) in [
            ("10%", 100_000),
            ("0.5%", 5000),
            ("100%", 1_000_000),
            ("0.0001%", 1),
            ("33.3333%", 333_333),
            ("99.9999%", 999_999),
        ] {
            let sample: Sample = text.parse().unwrap();
            assert_eq!((sample.0, sample.to_string().as_str()), (parts, text));
        }
    }

    #[test]
    fn what_a_sample_goes_by_comes_back() {
        for by in SampleBy::value_variants() {
            assert_eq!(SampleBy::from_kernel(by.to_kernel()), *by);
            assert_eq!(SampleBy::from_str(by.name(), false), Ok(*by), "typed as it is shown");
        }
    }

    #[test]
    fn every_share_comes_back() {
        for parts in 1..=ALL_FLOWS {
            assert_eq!(Sample(parts).to_string().parse(), Ok(Sample(parts)));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, mentions) in [
            ("10", "like 10%"),
            ("%", "like 10%"),
            ("", "like 10%"),
            ("-1%", "like 10%"),
            ("1e1%", "like 10%"),
            ("1.2.3%", "like 10%"),
            ("nan%", "like 10%"),
            ("0%", "nothing"),
            ("0.0%", "nothing"),
            ("100.1%", "more than all"),
            ("0.00001%", "finer"),
            ("12.34567%", "finer"),
        ] {
            let said = text.parse::<Sample>().unwrap_err();
            assert!(said.contains(mentions), "{text}: {said}");
        }
    }
}
