//! What a connection asks of single items: many requests at once, answers in their order.
//!
//! All requests of a call are sent before its first answer is read: they have to fit the sockets' buffers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use anyhow::{Result, bail};

use super::{
    Connection,
    connection::shown,
    meta::{self, Answer, Examined, Hit, Wanted},
};

/// Requests for so many items, of 265 bytes each at most, fit any socket.
pub const ASKED_AT_ONCE: usize = 96;

/// What [`Connection::ask`] found of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The client's flags.
    pub flags: u64,
    /// The value, where it was asked for and is not too long.
    pub value: Option<Vec<u8>>,
}

/// What [`Connection::examine`] found of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its unique number; 0 where the server gives none.
    pub unique: u64,
    /// Bytes that it takes, where the server tells.
    pub size: Option<u64>,
}

impl Connection {
    /// Flags and values of items, in the order of `keys`; `None` for one that is gone or that text cannot name. Of
    /// a value that is longer than `most`, nothing is kept.
    ///
    /// # Errors
    ///
    /// Where the server answers anything else than meta commands do.
    pub async fn ask<'a>(
        &mut self,
        keys: impl IntoIterator<Item = (&'a [u8], Wanted)>,
        most: usize,
    ) -> Result<Vec<Option<Found>>> {
        let mut requests = Vec::new();
        let asked: Vec<bool> =
            keys.into_iter().map(|(key, wanted)| meta::ask(&mut requests, key, wanted)).collect();
        self.send(&requests).await?;
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            let hit = if asked { self.hit().await? } else { None };
            let Some(Hit { flags, length, .. }) = hit else {
                found.push(None);
                continue;
            };
            let mut value = length.filter(|length| *length <= most).map(Vec::with_capacity);
            if let Some(length) = length {
                let take = |bytes: &[u8]| {
                    if let Some(value) = &mut value {
                        value.extend_from_slice(bytes);
                    }
                };
                self.value(length, take).await?;
            }
            found.push(Some(Found { flags, value }));
        }
        Ok(found)
    }

    /// Everything of items, in the order of `keys`, with a hash of the value in place of it; `None` for one that is
    /// gone or that text cannot name.
    ///
    /// # Errors
    ///
    /// Where the server answers anything else than meta commands do.
    pub async fn digest<'a>(
        &mut self,
        keys: impl IntoIterator<Item = &'a [u8]>,
        hash: &RandomState,
    ) -> Result<Vec<Option<(Hit, u64)>>> {
        let mut requests = Vec::new();
        let asked: Vec<bool> =
            keys.into_iter().map(|key| meta::ask(&mut requests, key, Wanted::Everything)).collect();
        self.send(&requests).await?;
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            let Some(hit) = (if asked { self.hit().await? } else { None }) else {
                found.push(None);
                continue;
            };
            let mut hasher = hash.build_hasher();
            if let Some(length) = hit.length {
                self.value(length, |bytes| hasher.write(bytes)).await?;
            }
            found.push(Some((hit, hasher.finish())));
        }
        Ok(found)
    }

    /// Whether items are there, with their unique numbers and sizes, in the order of `keys`; `None` for one that is
    /// gone or that text cannot name. The server counts this as a read only where a key is not plain.
    ///
    /// # Errors
    ///
    /// Where the server answers anything else than meta commands do.
    pub async fn examine<'a>(
        &mut self,
        keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Option<Known>>> {
        let mut requests = Vec::new();
        let asked: Vec<bool> =
            keys.into_iter().map(|key| meta::examine(&mut requests, key)).collect();
        self.send(&requests).await?;
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            found.push(if asked { self.examined().await? } else { None });
        }
        Ok(found)
    }

    async fn examined(&mut self) -> Result<Option<Known>> {
        let line = self.line().await?;
        match Examined::parse(&line) {
            Examined::Hit { unique, size } => Ok(Some(Known { unique, size })),
            Examined::Miss => Ok(None),
            Examined::Other => bail!(
                "{} does not tell about items: {} (memcached does from 1.6.10 on)",
                self.server,
                shown(&line)
            ),
        }
    }

    async fn hit(&mut self) -> Result<Option<Hit>> {
        let line = self.line().await?;
        match Answer::parse(&line) {
            Answer::Hit(hit) => Ok(Some(hit)),
            Answer::Miss => Ok(None),
            Answer::Other => bail!(
                "{} does not tell flags and values: {} (memcached does from 1.6.10 on)",
                self.server,
                shown(&line)
            ),
        }
    }
}
