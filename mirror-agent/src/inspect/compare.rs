//! Compares what two memcacheds hold, an old one and a new one, while clients change both.
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`pair`] | the syntax of `OLD=NEW` |
//! | [`candidates`] | which keys are compared: all, or a sample of both lists |
//! | [`seen`] | which keys of a list were seen |
//! | [`item`] | one key on one server, and what differs between two |
//! | [`rounds`] | which difference counts: one that lasts while production does not change the key |
//! | [`tally`] | how many keys came out how, and the verdict |
//! | [`bound`] | how much a sample proves |
//! | [`sides`] | the connections to both servers of a pair, and what they are asked |
//! | [`run`] | all rounds of questions about all keys of a pair |

pub mod bound;
pub mod candidates;
pub mod item;
pub mod pair;
pub mod rounds;
pub mod run;
pub mod seen;
pub mod sides;
pub mod tally;
