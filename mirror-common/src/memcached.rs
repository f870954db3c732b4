//! What is in a memcached stream: where requests begin and end, and what some of them ask for.
//!
//! | module | what it knows |
//! |---|---|
//! | [`request_start`] | where a memcached request begins |
//! | [`request_parser`] | where it ends, and the next begins |
//! | [`admin_command`] | commands that change a server and not its items |
//! | [`error_reply`] | what the server says when it refuses one |

pub mod admin_command;
pub mod error_reply;
pub mod request_parser;
pub mod request_start;
