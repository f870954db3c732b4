//! Numbers as people read them.

/// With a comma between thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole` in percent, rounded down: 100 % is all of it. `None` of nothing.
pub fn percent(part: u64, whole: u64) -> Option<f64> {
    let hundredths = u128::from(part) * 10_000 / u128::from((whole > 0).then_some(whole)?);
    Some(hundredths as f64 / 100.0)
}

/// The same for a text.
pub fn percent_text(part: u64, whole: u64) -> String {
    match percent(part, whole) {
        None => "nothing yet".to_owned(),
        Some(_) if part == whole => "100 %".to_owned(),
        Some(percent) => format!("{percent:.2} %"),
    }
}

/// What a counter says in a sentence whose subject is known: without what all names of its kind begin with.
pub fn short(name: &str) -> String {
    let rest = ["discarded_", "skipped_", "failed_", "arrived_", "error_"]
        .iter()
        .find_map(|kind| name.strip_prefix(kind));
    rest.unwrap_or(name).replace('_', " ")
}

/// Counters with their names, the way they are in a sentence.
pub fn listed(counts: &[(&str, u64)]) -> String {
    let one = |(name, count): &(&str, u64)| format!("{} {}", short(name), grouped(*count));
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands() {
        let all = [0, 7, 999, 1000, 12_345, 123_456, 1_234_567].map(grouped);
        assert_eq!(all, ["0", "7", "999", "1,000", "12,345", "123,456", "1,234,567"]);
    }

    #[test]
    fn percents_never_say_all_of_less() {
        assert_eq!(percent_text(999_999, 1_000_000), "99.99 %");
        assert_eq!(percent_text(5, 5), "100 %");
        assert_eq!(percent_text(0, 5), "0.00 %");
        assert_eq!(percent_text(0, 0), "nothing yet");
        assert_eq!(percent(u64::MAX, u64::MAX), Some(100.0));
    }

    #[test]
    fn in_sentences() {
        let counts = [("discarded_hold_expired", 1200), ("withdrawn", 3)];
        assert_eq!(listed(&counts), "hold expired 1,200, withdrawn 3");
    }
}
