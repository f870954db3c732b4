//! What a connection asks of single items: many requests at once, answers in their order.
//!
//! All requests of a call are sent before its first answer is read: they have to fit the sockets' buffers.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use anyhow::{Result, bail};

use super::{
    Connection,
    classic::{self, Get, Line, Value},
    connection::shown,
    meta::{self, Answer, Examined, Hit, Wanted},
};

/// Requests for so many items, of 265 bytes each at most, fit any socket.
pub const ASKED_AT_ONCE: usize = 96;

/// Digits of the largest number that `incr` and `decr` make, and some spaces.
const LONGEST_NUMBER: usize = 24;

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
        let asked = self
            .send_each(keys, |requests, (key, wanted)| meta::ask(requests, key, wanted))
            .await?;
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
        let everything = |requests: &mut _, key| meta::ask(requests, key, Wanted::Everything);
        let asked = self.send_each(keys, everything).await?;
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            let Some(mut hit) = (if asked { self.hit().await? } else { None }) else {
                found.push(None);
                continue;
            };
            let (length, digest) = self.hashed(hit.length.unwrap_or_default(), hash).await?;
            hit.length = Some(length);
            found.push(Some((hit, digest)));
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
        let asked = self.send_each(keys, meta::examine).await?;
        let mut found = Vec::with_capacity(asked.len());
        for asked in asked {
            found.push(if asked { self.examined().await? } else { None });
        }
        Ok(found)
    }

    /// The same by `gets`, which all versions know: each is used more recently then, misses count, and how long items
    /// have to live is not told. Nor is a mark as stale, and none wins the right to renew an item.
    ///
    /// # Errors
    ///
    /// Where the server answers anything else, or text cannot name a key.
    pub async fn digest_by_gets(
        &mut self,
        keys: &[&[u8]],
        hash: &RandomState,
    ) -> Result<Vec<Option<(Hit, u64)>>> {
        let mut found = vec![None; keys.len()];
        let mut request = Vec::new();
        if keys.is_empty() {
            return Ok(found);
        }
        if !classic::get(&mut request, Get::Unique, keys.iter().copied()) {
            bail!("a key cannot be asked for by gets");
        }
        self.send(&request).await?;
        // Answers are in the order of the keys, without those that are gone.
        let mut place = 0;
        loop {
            let line = self.line().await?;
            let Value { key, flags, length, cas } = match Line::parse(&line) {
                Line::Value(value) => value,
                Line::End => return Ok(found),
                Line::Refused(_) => bail!("{} does not answer gets: {}", self.server, shown(&line)),
            };
            let Some(ahead) = keys[place..].iter().position(|asked| *asked == key) else {
                bail!("{} tells of an item that nobody asked for", self.server);
            };
            let hit = Hit { flags, unique: cas, ..Hit::default() };
            let (length, digest) = self.hashed(length, hash).await?;
            found[place + ahead] = Some((Hit { length: Some(length), ..hit }, digest));
            place += ahead + 1;
        }
    }

    /// Sends what `append` makes of each key, all at once; for which it made a request.
    async fn send_each<K>(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        append: impl Fn(&mut Vec<u8>, K) -> bool,
    ) -> Result<Vec<bool>> {
        let mut requests = Vec::new();
        let asked = keys.into_iter().map(|key| append(&mut requests, key)).collect();
        self.send(&requests).await?;
        Ok(asked)
    }

    /// Reads a value; its length and a hash of it, without the padding of a number.
    async fn hashed(&mut self, length: usize, hash: &RandomState) -> Result<(usize, u64)> {
        let mut hasher = hash.build_hasher();
        if length > LONGEST_NUMBER {
            self.value(length, |bytes| hasher.write(bytes)).await?;
            return Ok((length, hasher.finish()));
        }
        let mut value = Vec::with_capacity(length);
        self.value(length, |bytes| value.extend_from_slice(bytes)).await?;
        let value = without_padding(&value);
        hasher.write(value);
        Ok((value.len(), hasher.finish()))
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

/// A number without the spaces behind it: `decr` leaves them or not, as it happens to find the item (protocol.txt,
/// "Increment/Decrement"). Anything else as it is.
fn without_padding(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    let number = &value[..end];
    match !number.is_empty() && number.iter().all(u8::is_ascii_digit) {
        true => number,
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding() {
        for (value, want) in [
            (&b"99 "[..], &b"99"[..]),
            (b"100", b"100"),
            (b"9  ", b"9"),
            (b"a ", b"a "),
            (b" 9 ", b" 9 "),
            (b"  ", b"  "),
            (b"", b""),
        ] {
            assert_eq!(without_padding(value), want);
        }
    }

    proptest! {
        /// A value comes from each server in other pieces.
        #[test]
        fn cuts_do_not_change_a_hash(bytes: Vec<u8>, cut: prop::sample::Index) {
            let hash = RandomState::new();
            let of = |pieces: &[&[u8]]| {
                let mut hasher = hash.build_hasher();
                pieces.iter().for_each(|piece| hasher.write(piece));
                hasher.finish()
            };
            let cut = cut.index(bytes.len() + 1);
            prop_assert_eq!(of(&[&bytes]), of(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
