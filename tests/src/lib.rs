//! End-to-end test lab.
