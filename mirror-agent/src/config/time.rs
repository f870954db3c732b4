//! Times as they are typed, and the kernel's clock that ends are measured by.
//!
//! Of the clocks that a program can read on every kernel that is supported, `CLOCK_BOOTTIME` is the one that
//! goes on while a machine is suspended, as a wall clock does, and that nobody can set.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{Span, SpanRelativeTo, Timestamp, civil::DateTime, tz::TimeZone};

use crate::kernel::clock::since_boot;

/// No mirror runs for longer: the kernel's clock could not tell.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A length of time like `500ms`, `90s`, `24h` or `1d 12h`; a day has 24 hours.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time like 500ms, 90s, 24h or 1d 12h, not '{text}'");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    match Duration::try_from(length) {
        Ok(length) if length > FAR => Err(format!("{text} is more than a hundred years")),
        Ok(length) if !length.is_zero() => Ok(length),
        _ => Err(wrong()),
    }
}

/// A moment that has not passed: RFC 3339, or `YYYY-MM-DD HH:MM` on this host's wall clock.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let moment = match text.parse() {
        Ok(moment) => moment,
        Err(_) => local_moment(text)?,
    };
    match until(moment) {
        Ok(left) if left > FAR => Err(format!("{text} is in more than a hundred years")),
        Ok(_) => Ok(moment),
        Err(error) => Err(error.to_string()),
    }
}

fn local_moment(text: &str) -> Result<Timestamp, String> {
    let local = DateTime::strptime("%Y-%m-%d %H:%M", text).map_err(|_| {
        format!(
            "expected a moment like 2030-01-31T18:00:00Z, or 2030-01-31 18:00 on this host's clock, not \
             '{text}'"
        )
    })?;
    let moment = TimeZone::system().to_ambiguous_timestamp(local).unambiguous();
    moment.map_err(|_| {
        format!("{text} is twice or never, as clocks change; write it like 2030-01-31T18:00:00Z")
    })
}

/// How long it is until `moment`, which must not have passed.
pub fn until(moment: Timestamp) -> Result<Duration> {
    match Duration::try_from(moment.duration_since(Timestamp::now())) {
        Ok(left) if !left.is_zero() => Ok(left),
        _ => bail!("{moment} has passed"),
    }
}

/// How long a mirror is to run that ends at `moment`, or after `length`; `None` for good.
pub fn ends_in(moment: Option<Timestamp>, length: Option<Duration>) -> Result<Option<Duration>> {
    match moment {
        Some(moment) => until(moment).map(Some),
        None => Ok(length),
    }
}

/// When `length` will have passed, in ns since boot.
pub fn from_now(length: Duration) -> Result<u64> {
    let end = Duration::from_nanos(since_boot()?).checked_add(length);
    end.and_then(|end| u64::try_from(end.as_nanos()).ok()).context("that is too far away")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn lengths() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("2m", 120.0),
            ("24h", 86_400.0),
            ("1d 12h", 129_600.0),
            ("1h30m", 5400.0),
            ("1w", 604_800.0),
            ("500ms", 0.5),
            ("1.5h", 5400.0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in
            ["", "5", "s", "0s", "0h 0m", "-1h", "1h ago", "1 month", "soon", "99999999999999h"]
        {
            let said = duration(text).unwrap_err();
            assert!(said.contains("like 500ms"), "{text}: {said}");
        }
        assert!(duration("2000000h").unwrap_err().contains("hundred years"));
    }

    #[test]
    fn moments() {
        let noon = Timestamp::from_second(1_899_979_200).unwrap();
        for text in ["2030-03-17T12:00:00Z", "2030-03-17T13:00:00+01:00", "2030-03-17 12:00Z"] {
            assert_eq!(moment(text), Ok(noon), "{text}");
        }
        // The same digits on this host's clock, wherever that is.
        let local = moment("2030-03-17 12:00").unwrap().to_zoned(TimeZone::system());
        assert_eq!(local.strftime("%F %R").to_string(), "2030-03-17 12:00");
        for text in ["", "2030-03-17", "12:00", "2030-13-17 12:00", "tomorrow", "1900022400"] {
            let said = moment(text).unwrap_err();
            assert!(said.contains("like 2030-01-31"), "{text}: {said}");
        }
        for text in ["2020-01-01T00:00:00Z", "2020-01-01 00:00"] {
            assert!(moment(text).unwrap_err().contains("has passed"), "{text}");
        }
        assert!(moment("9000-01-01T00:00:00Z").unwrap_err().contains("hundred years"));
    }

    #[test]
    fn what_has_passed_is_refused() {
        let now = Timestamp::now();
        let hour = SignedDuration::from_hours(1);
        assert!(until(now - hour).unwrap_err().to_string().contains("has passed"));
        assert!(until(now).is_err());
        let left = until(now + hour).unwrap();
        assert!(left <= Duration::from_secs(3600) && left > Duration::from_secs(3000), "{left:?}");
    }

    #[test]
    fn an_end_is_on_the_clock_since_boot() {
        let (before, end) = (since_boot().unwrap(), from_now(Duration::from_secs(5)).unwrap());
        let after = since_boot().unwrap();
        assert!((before..=after).contains(&(end - 5_000_000_000)));
        assert!(from_now(FAR).is_ok() && from_now(Duration::MAX).is_err());
    }
}
