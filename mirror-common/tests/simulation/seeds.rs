//! Many seeds for one property, and one line that repeats the seed that fails.

use std::{cell::RefCell, env, fmt::Debug, ops::Range, panic, sync::Once, time::Instant};

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngSeed, TestError, TestRunner},
};

/// Names other seeds than [`USUAL`], as `FIRST..END`; `cargo xtask simulate` sets it.
const VARIABLE: &str = "MIRROR_SEEDS";
const USUAL: Range<u64> = 0..1500;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Checks `property`, the test called `name`, with what `strategy` makes of each seed.
pub(crate) fn check<S: Strategy>(name: &str, strategy: &S, property: impl Fn(S::Value))
where
    S::Value: Debug,
{
    static QUIET: Once = Once::new();
    // Looking for a smaller case panics over and over.
    QUIET.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map_or_else(String::new, ToString::to_string);
            PLACE.set(place);
        }));
    });
    let (chosen, began) = (seeds(), Instant::now());
    let count = chosen.end.saturating_sub(chosen.start);
    for seed in chosen {
        if let Err(failure) = run(seed, strategy, &property) {
            println!("{name}: {failure}\nto repeat it: cargo xtask simulate --seed {seed} {name}");
            panic!();
        }
    }
    let pace = count as f64 / began.elapsed().as_secs_f64();
    println!("{name}: {count} seeds, {pace:.0} a second");
}

fn seeds() -> Range<u64> {
    let Ok(text) = env::var(VARIABLE) else { return USUAL };
    let numbers = text.split_once("..").map(|(first, end)| (first.parse(), end.parse()));
    match numbers {
        Some((Ok(first), Ok(end))) => first..end,
        _ => panic!("{VARIABLE} is {text:?}, and not FIRST..END"),
    }
}

/// The smallest case that fails, if `seed` makes one that does.
fn run<S: Strategy>(seed: u64, strategy: &S, property: &impl Fn(S::Value)) -> Result<(), String>
where
    S::Value: Debug,
{
    let config = Config {
        cases: 1,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(strategy, |case| {
        property(case);
        Ok(())
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, case)) => {
            let place = PLACE.take();
            Err(format!("seed {seed} fails at {place}\n{}\nwith {case:?}", reason.message()))
        }
        Err(TestError::Abort(reason)) => Err(format!("seed {seed} is rejected: {reason}")),
    }
}
