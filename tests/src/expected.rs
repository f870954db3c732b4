//! Tests of what does not work yet, which say so when it does.

use std::{
    any::Any,
    panic::{UnwindSafe, catch_unwind},
};

/// Runs a judgement that is known to fail. It has to panic, with a message that contains `text`; `reason` says in a
/// line why it fails. Who mends that is told to remove the mark. A panic for another reason goes on.
///
/// What prepares the judgement belongs outside, where its failures are failures:
///
/// ```text
/// lab, clients, traffic          a panic here fails the test
/// to_fail(reason, text, || …)    a panic here has to be the one that is known
/// the lab is taken down          in any case
/// ```
pub fn to_fail(reason: &str, text: &str, test: impl FnOnce() + UnwindSafe) {
    let Err(panic) = catch_unwind(test) else {
        panic!("mended: remove the mark ({reason})");
    };
    let message = message(&*panic);
    assert!(!text.is_empty(), "any failure would do: {reason}");
    assert!(
        message.contains(text),
        "fails, but not as expected ({reason}): \"{text}\" is not in: {message}"
    );
    println!("fails as expected ({reason}): {message}");
}

/// What a panic says, with arguments or without; nothing where it is no text.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{
        panic::catch_unwind,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::to_fail;

    const REASON: &str = "nobody built it";

    /// What the marker itself says when it fails.
    fn complaint(text: &'static str, test: fn()) -> String {
        let panic = catch_unwind(|| to_fail(REASON, text, test)).expect_err("the marker fails");
        *panic.downcast::<String>().expect("a message with arguments")
    }

    #[test]
    fn a_failure_that_is_expected_passes() {
        to_fail(REASON, "of 20 arrived", || panic!("no key of 20 arrived"));
        to_fail(REASON, "2 of 20 arrived", || panic!("{} of 20 arrived", 2));
        to_fail(REASON, "keys arrived", || assert_eq!(1 + 1, 3, "keys arrived"));
    }

    #[test]
    fn what_was_mended_fails() {
        let complaint = complaint("arrived", || {});
        assert!(complaint.contains("mended: remove the mark"), "{complaint}");
        assert!(complaint.contains(REASON), "{complaint}");
    }

    #[test]
    fn a_failure_for_another_reason_fails() {
        let complaint = complaint("arrived", || panic!("the lab needs root"));
        assert!(complaint.contains("not as expected"), "{complaint}");
        assert!(complaint.contains("the lab needs root"), "{complaint}");
    }

    #[test]
    fn a_panic_without_a_message_fails() {
        let complaint = complaint("arrived", || std::panic::panic_any(7));
        assert!(complaint.contains("not as expected"), "{complaint}");
    }

    #[test]
    fn no_text_is_no_expectation() {
        let complaint = complaint("", || panic!("the lab needs root"));
        assert!(complaint.contains("any failure would do"), "{complaint}");
    }

    #[test]
    fn what_the_test_holds_is_dropped() {
        struct Lab<'a>(&'a AtomicBool);
        impl Drop for Lab<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let gone = AtomicBool::new(false);
        let lab = Lab(&gone);
        to_fail(REASON, "arrived", move || {
            let _lab = lab;
            panic!("no key arrived");
        });
        assert!(gone.load(Ordering::Relaxed));
    }
}
