//! What a sample of connections leaves behind: keys that connections outside of it change.

use crate::config::sample::{Sample, SampleBy};

/// What to say of a sample.
pub(super) fn note(sample: Sample, by: SampleBy) -> Option<String> {
    let partial = sample != Sample::ALL && by == SampleBy::Connection;
    partial.then(|| {
        "a sample of connections is for load tests: keys that other connections change become stale on the new host; \
         --sample-by client-address takes all connections of a client"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sample_of_connections_leaves_stale_keys() {
        let some = Sample(1000);
        assert!(note(some, SampleBy::Connection).is_some_and(|note| note.contains("--sample-by")));
        assert_eq!(note(some, SampleBy::ClientAddress), None);
        assert_eq!(note(Sample::ALL, SampleBy::Connection), None);
    }
}
