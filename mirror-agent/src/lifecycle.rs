//! What verbs share: clearing what an attachment left, and taking one off.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`remove`] | takes an attachment off, and leaves nothing behind |

pub mod remove;
