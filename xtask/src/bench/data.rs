//! What servers hold, and clients ask for.

use mirror_tests::client::Connection;

pub(crate) const KEYS: usize = 1000;
pub(crate) const VALUE: [u8; 100] = [b'v'; 100];

pub(crate) fn key(number: usize) -> String {
    format!("bench{number}")
}

/// Stores every key, so that all servers answer every get alike from the start.
pub(crate) fn fill(server: &mut Connection) {
    for number in 0..KEYS {
        server.set(&key(number), &VALUE);
    }
}
