//! Which keys are compared: all of both lists, or a sample of them.

use std::{hash::RandomState, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use tokio::task::spawn_blocking;

use super::pair::Pair;
use crate::{
    endpoint::Endpoint,
    keys::{Prefixes, Reservoir},
    listing::{Items, drain},
    memcached::Connection,
    spool::Spool,
};

/// How many items the servers listed, whatever their prefix: the old one and the new one.
pub type Listed = [u64; 2];

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
    other.into_items().for_each(|item| sample.offer(item));
    let keys = sample.into_items().map(|item| item.key).collect();
    Ok((keys, [old, new]))
}

async fn sample_of(
    server: &Endpoint,
    mut sample: Reservoir,
    prefixes: Prefixes,
    patience: Duration,
) -> Result<(Reservoir, u64)> {
    let list = Connection::open(server, patience).await?.dump().await?;
    let spool = Arc::new(Spool::default());
    let source = spool.clone();
    // The thread that takes lists off connections never waits for this one.
    let sampling = spawn_blocking(move || {
        let mut items = Items::new(&source, &prefixes);
        loop {
            let some = items.next(usize::from(u8::MAX))?;
            if some.is_empty() {
                return Ok((sample, items.seen));
            }
            some.into_iter().for_each(|item| sample.offer(item));
        }
    });
    let drained = drain(list, &spool).await;
    let sampled = sampling.await.context("sampling broke off")?;
    drained?;
    sampled
}

/// Both lists, complete: that of the old server, and that of the new one.
///
/// # Errors
///
/// Where a server does not list its items.
pub async fn lists(pair: &Pair, patience: Duration) -> Result<(Spool, Spool)> {
    tokio::try_join!(list(&pair.old, patience), list(&pair.new, patience))
}

async fn list(server: &Endpoint, patience: Duration) -> Result<Spool> {
    let spool = Spool::default();
    drain(Connection::open(server, patience).await?.dump().await?, &spool).await?;
    Ok(spool)
}
