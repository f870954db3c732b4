//! memcached of several releases: the agent lists what they hold, mirrors from one to another, and its codec reads and
//! writes what each of them says and understands.
//!
//! | module | what has to hold |
//! |---|---|
//! | [`compared`] | `compare` says the same of every pair of them |
//! | [`keys`] | `keys` shows the same of all of them |
//! | [`mirrored`] | an old and a new host of different releases end up the same |
//! | [`stored`] | requests that store and delete do what they say |
//! | [`named`] | keys, flags and values of every kind survive the way there and back |
//! | [`living`] | items live as long as they were told to |
//! | [`watched`] | watchers say what happened |

mod compared;
mod keys;
mod living;
mod mirrored;
mod named;
mod speaker;
mod stored;
mod watched;
