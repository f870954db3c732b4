//! Which keys are compared: all of both lists, or a sample of them.

use std::{hash::RandomState, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::task::spawn_blocking;

use super::pair::Pair;
use crate::{
    inspect::{
        filter::{Prefixes, Reservoir},
        listing::{Items, collect},
        spool::Spool,
    },
    memcached::endpoint::Endpoint,
};

/// How many items the servers listed, whatever their prefix: the old one and the new one.
pub type Listed = [u64; 2];

/// Keys that are read at a time.
const READ: usize = 256;

/// Keys of both lists, each as likely as any other, at most `room`.
///
/// # Errors
///
/// Where a server does not list its items.
pub async fn sample(
    pair: &Pair,
    room: usize,
    prefixes: &Prefixes,
    patience: Duration,
) -> Result<(Vec<Vec<u8>>, Listed)> {
    // One hash for both: then those of both lists with the smallest hashes are a sample of both together.
    let hash = RandomState::new();
    let of =
        |server| sample_of(server, Reservoir::with(room, hash.clone()), prefixes.clone(), patience);
    let ((mut sample, old), (other, new)) = tokio::try_join!(of(&pair.old), of(&pair.new))?;
    let merging = spawn_blocking(move || {
        other.into_items().for_each(|item| sample.offer(item));
        sample.into_items().map(|item| item.key).collect()
    });
    Ok((merging.await.context("sampling broke off")?, [old, new]))
}

async fn sample_of(
    server: &Endpoint,
    mut sample: Reservoir,
    prefixes: Prefixes,
    patience: Duration,
) -> Result<(Reservoir, u64)> {
    let spool = Arc::new(Spool::default());
    let source = spool.clone();
    let name = server.to_string();
    let sampling = spawn_blocking(move || {
        let mut items = Items::new(&source, &prefixes);
        loop {
            let some = items.next(READ)?;
            if some.is_empty() {
                report(&name, &items);
                return Ok((sample, items.seen));
            }
            some.into_iter().for_each(|item| sample.offer(item));
        }
    });
    collect(server.clone(), patience, spool).await?;
    sampling.await.context("sampling broke off")?
}

/// Both lists, complete: that of the old server, and that of the new one.
///
/// # Errors
///
/// Where a server does not list its items.
pub async fn lists(pair: &Pair, patience: Duration) -> Result<[Arc<Spool>; 2]> {
    let [old, new] = [(); 2].map(|()| Arc::new(Spool::default()));
    tokio::try_join!(
        collect(pair.old.clone(), patience, old.clone()),
        collect(pair.new.clone(), patience, new.clone())
    )?;
    Ok([old, new])
}

/// Says how many lines of a list were none.
pub fn report(server: &str, items: &Items<'_>) {
    if items.unreadable > 0 {
        log::warn!("{} lines of the list of {server} could not be read", items.unreadable);
    }
}
