//! What differences between turns say, and whether they say enough. Nothing here measures.

/// The part of a value that its interval, and what bare turns differ by, may be as large as.
pub(crate) const TOLERANCE: f64 = 0.2;
/// How likely the interval holds the median, whatever values are distributed like.
const CONFIDENCE: f64 = 0.95;

/// A side's turn between two bare ones. All in the same unit.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) before: f64,
    pub(crate) with: f64,
    pub(crate) after: f64,
}

impl Turn {
    /// What the side has more than bare. What drifts evenly cancels out.
    pub(crate) fn added(self) -> f64 {
        self.with - f64::midpoint(self.before, self.after)
    }

    /// How far bare went meanwhile.
    fn moved(self) -> f64 {
        (self.after - self.before).abs()
    }
}

/// The median of some values, where it lies, and whether that is known well enough.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) values: Vec<f64>,
    pub(crate) median: f64,
    /// Where the median lies, in 95 of 100 cases; `None` of too few values.
    pub(crate) within: Option<(f64, f64)>,
    /// Why nobody can tell.
    pub(crate) doubt: Option<String>,
}

impl Estimate {
    /// Of values that have nothing to do with bare turns.
    pub(crate) fn of(values: Vec<f64>) -> Self {
        let (median, within) = (median(&values), interval(&values));
        let doubt = match within {
            None => Some(format!("too few turns ({}): {} are the least", values.len(), least())),
            Some((low, high)) if high - low > TOLERANCE * median.abs() => Some(format!(
                "it lies between {low:.2} and {high:.2}, which is more than {:.0} % apart",
                TOLERANCE * 100.0
            )),
            Some(_) => None,
        };
        Self { values, median, within, doubt }
    }

    /// What a side adds to bare.
    pub(crate) fn added(turns: &[Turn]) -> Self {
        let mut estimate = Self::of(turns.iter().map(|turn| turn.added()).collect());
        let moved = median(&turns.iter().map(|turn| turn.moved()).collect::<Vec<_>>());
        if estimate.doubt.is_none() && moved > TOLERANCE * estimate.median.abs() {
            estimate.doubt = Some(format!(
                "two bare turns, one before and one after, differ by {moved:.2}, which is more than {:.0} % \
                 of it",
                TOLERANCE * 100.0
            ));
        }
        estimate
    }

    /// The median, if it is known well enough.
    pub(crate) fn told(&self) -> Option<f64> {
        self.doubt.is_none().then_some(self.median)
    }
}

/// The median; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// The smallest quarter of values is below this; 0 of nothing.
pub(crate) fn lower_quartile(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 4).copied().unwrap_or(0.0)
}

/// An interval that holds the median of what `values` are a sample of. From one of the smallest values to one
/// of the largest: as many lie outside as seldom lie on one side of the median alone, by a coin's odds.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let outside = outside(sorted.len())?;
    Some((sorted[outside], sorted[sorted.len() - 1 - outside]))
}

/// How many of `n` values may be left out at either end.
fn outside(n: usize) -> Option<usize> {
    let allowed = (1.0 - CONFIDENCE) / 2.0;
    // The odds that k of n values are below the median, k = 0 first.
    let mut odds = 0.5f64.powi(i32::try_from(n).ok()?);
    let mut sum = 0.0;
    let mut count = None;
    for k in 0..n {
        sum += odds;
        if sum > allowed {
            break;
        }
        count = Some(k);
        odds *= (n - k) as f64 / (k + 1) as f64;
    }
    count
}

/// The fewest values that have an interval.
fn least() -> usize {
    (1..).find(|n| outside(*n).is_some()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(bare: &[f64], added: &[f64]) -> Vec<Turn> {
        let pairs = bare.windows(2).zip(added);
        let turn = |(bare, added): (&[f64], &f64)| {
            let with = f64::midpoint(bare[0], bare[1]) + added;
            Turn { before: bare[0], with, after: bare[1] }
        };
        pairs.map(turn).collect()
    }

    #[test]
    fn six_values_are_the_least() {
        assert_eq!(least(), 6);
        assert_eq!(interval(&[1.0, 2.0, 3.0, 4.0, 5.0]), None);
        assert_eq!(interval(&[3.0, 1.0, 2.0, 6.0, 5.0, 4.0]), Some((1.0, 6.0)));
    }

    #[test]
    fn tables_of_the_sign_test_say_the_same() {
        // The usual 95 % intervals of a median, as ranks from either end (first is 0).
        for (n, rank) in
            [(6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (15, 3), (17, 4), (20, 5), (25, 7)]
        {
            assert_eq!(outside(n), Some(rank), "{n} values");
        }
    }

    #[test]
    fn the_interval_holds_the_median_as_often_as_it_says() {
        // Every way in which twelve values can lie below and above their median.
        let missed = (0u32..1 << 12)
            .filter(|signs| {
                let values: Vec<f64> =
                    (0..12).map(|bit| if signs & 1 << bit == 0 { -1.0 } else { 1.0 }).collect();
                let (low, high) = interval(&values).expect("enough values");
                low > 0.0 || high < 0.0
            })
            .count();
        assert!(missed as f64 / 4096.0 <= 0.05, "{missed}");
    }

    #[test]
    fn what_repeats_is_told() {
        let estimate = Estimate::added(&turns(&[9.0; 13], &[2.0; 12]));
        assert_eq!(estimate.told(), Some(2.0));
        assert_eq!(estimate.within, Some((2.0, 2.0)));
    }

    #[test]
    fn an_even_drift_cancels_out() {
        let bare: Vec<f64> = (0..13).map(|n| 9.0 + 0.1 * f64::from(n)).collect();
        let estimate = Estimate::added(&turns(&bare, &[2.0; 12]));
        assert!((estimate.told().expect("told") - 2.0).abs() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn a_few_wild_turns_do_not_count() {
        let mut added = [2.0; 12];
        (added[3], added[8]) = (40.0, -7.0);
        assert_eq!(Estimate::added(&turns(&[9.0; 13], &added)).told(), Some(2.0));
    }

    #[test]
    fn a_wide_interval_is_a_doubt() {
        let added: Vec<f64> = (0..12).map(|n| 1.0 + 0.1 * f64::from(n)).collect();
        let estimate = Estimate::added(&turns(&[9.0; 13], &added));
        assert_eq!(estimate.told(), None);
        assert!(estimate.doubt.expect("a reason").contains("between 1.20 and 1.90"));
    }

    #[test]
    fn less_than_nothing_is_a_doubt() {
        let added: Vec<f64> = (0..12).map(|n| -0.3 + 0.05 * f64::from(n)).collect();
        assert_eq!(Estimate::added(&turns(&[9.0; 13], &added)).told(), None);
    }

    #[test]
    fn a_bare_side_that_moves_is_a_doubt() {
        let bare: Vec<f64> = (0..13).map(|n| if n % 2 == 0 { 9.0 } else { 9.5 }).collect();
        let estimate = Estimate::added(&turns(&bare, &[2.0; 12]));
        assert!(estimate.doubt.expect("a reason").contains("differ by 0.50"));
    }

    #[test]
    fn few_turns_are_a_doubt() {
        let estimate = Estimate::added(&turns(&[9.0; 3], &[2.0; 2]));
        assert_eq!(estimate.doubt.as_deref(), Some("too few turns (2): 6 are the least"));
        assert_eq!(Estimate::of(Vec::new()).told(), None);
    }

    #[test]
    fn medians() {
        assert!(median(&[]).abs() < 1e-9);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn quartiles() {
        assert!(lower_quartile(&[]).abs() < 1e-9);
        assert!((lower_quartile(&[5.0]) - 5.0).abs() < 1e-9);
        assert!((lower_quartile(&[4.0, 3.0, 2.0, 1.0]) - 2.0).abs() < 1e-9);
    }
}
