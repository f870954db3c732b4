//! What can be typed after `stats` and `status`.

use std::time::Duration;

use clap::Args;

use crate::config::time;

/// `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Only this interface
    pub interface: Option<String>,

    /// Keep printing: one line for each interval
    #[arg(long, short)]
    pub follow: bool,

    /// Time between two lines of --follow, in seconds or like 500ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,

    /// Show every counter with its unit, those included that are zero
    #[arg(long, conflicts_with_all = ["follow", "json"])]
    pub all: bool,

    /// Say what a counter means, like discarded_unsynced
    #[arg(long, value_name = "COUNTER", exclusive = true)]
    pub explain: Option<String>,

    /// As JSON; with --follow, one document on each line
    #[arg(long)]
    pub json: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Only this interface
    pub interface: Option<String>,

    /// One line for monitoring; exits with 0 for OK, 1 for DEGRADED, 2 for DOWN, 3 for UNKNOWN
    #[arg(long, conflicts_with = "json")]
    pub check: bool,

    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// A time, for which a plain number is one of seconds.
fn interval(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(_) => time::duration(&format!("{text}s")),
        Err(_) => time::duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(interval("2"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "-1", "often"] {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
