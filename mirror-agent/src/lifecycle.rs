//! What verbs share: clearing what an attachment left, and taking one off.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`attached`] | what is attached, for verbs that change it |
//! | [`connection_limit`] | whether memcached takes so many connections as are mirrored |
//! | [`install`] | attaches a role, and takes back what was begun when it fails |
//! | [`listening`] | whether anything listens on the ports that are mirrored |
//! | [`remove`] | takes an attachment off, and leaves nothing behind |

pub mod attached;
pub mod connection_limit;
pub mod install;
pub mod listening;
pub mod remove;
