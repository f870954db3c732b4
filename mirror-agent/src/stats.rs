//! What the counters say.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`snapshot`] | reading the counters of what is attached |
//! | [`meaning`] | what each counter means, those included that the agent computes |
//! | [`tally`] | what was done and what was lost, in one number each |
//! | [`condition`] | whether what is attached can work at all |
//! | [`connections`] | mirrored connections, by state |
//! | [`health`] | the verdict |
//! | [`figures`] | numbers as people read them |

pub mod condition;
pub mod connections;
pub mod figures;
pub mod health;
pub mod meaning;
pub mod snapshot;
pub mod tally;
