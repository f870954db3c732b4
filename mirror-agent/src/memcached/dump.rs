//! The list of all items, `lru_crawler metadump` (protocol.txt, "LRU Crawler").

use super::uri;

/// Asks for the metadata of all items, class by class, from the least recently used on.
pub const REQUEST: &[u8] = b"lru_crawler metadump all\r\n";

/// What memcached tells of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The key, decoded.
    pub key: Vec<u8>,
    /// When it expires, in seconds since the epoch by the server's clock; `None` for never.
    pub expires: Option<u64>,
    /// The last access that memcached took down, by the same clock. It does not take down all of them.
    pub used: u64,
    /// Whether it was read since it was stored.
    pub fetched: bool,
    /// Its slab class.
    pub class: u32,
    /// Bytes that it takes, with header, key and flags.
    pub size: u64,
    /// The client's flags, which memcached tells from 1.6.24 on.
    pub flags: Option<u64>,
}

/// A line of an answer to [`REQUEST`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The first line, from 1.6.43 on.
    Begin,
    /// An item.
    Item(Item),
    /// The end of the list.
    End,
    /// The server has no items. This is the whole answer.
    Nothing,
    /// The server is going through its items for somebody else. This is the whole answer.
    Busy,
    /// Anything else: a refusal where it is the first line.
    Other(&'a [u8]),
}

impl<'a> Line<'a> {
    /// Of a line without its end.
    pub fn parse(line: &'a [u8]) -> Self {
        if let Some(item) = Item::parse(line) {
            return Self::Item(item);
        }
        match line {
            b"OK" => Self::Begin,
            b"END" => Self::End,
            _ if line.starts_with(b"NOTSTARTED") => Self::Nothing,
            _ if line.starts_with(b"BUSY") => Self::Busy,
            _ => Self::Other(line),
        }
    }
}

impl Item {
    /// Of `key=… exp=… la=… cas=… fetch=… cls=… size=…`; further fields may follow.
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let key = uri::decode(fields.next()?.strip_prefix(b"key=")?)?;
        let (mut expires, mut used, mut fetched) = (None, None, None);
        let (mut class, mut size, mut flags) = (None, None, None);
        for field in fields {
            let field = std::str::from_utf8(field).ok()?;
            let Some((name, value)) = field.split_once('=') else { continue };
            match name {
                "exp" if value == "-1" => expires = Some(None),
                "exp" => expires = Some(Some(value.parse().ok()?)),
                "la" => used = Some(value.parse().ok()?),
                "fetch" => fetched = Some(value == "yes"),
                "cls" => class = Some(value.parse().ok()?),
                "size" => size = Some(value.parse().ok()?),
                "flags" => flags = Some(value.parse().ok()?),
                _ => {}
            }
        }
        Some(Self {
            key,
            expires: expires?,
            used: used?,
            fetched: fetched?,
            class: class?,
            size: size?,
            flags,
        })
    }
}

/// Finds the end of a list in a stream that arrives in pieces, without cutting it into lines.
#[derive(Debug, Default)]
pub struct EndFinder {
    last: Vec<u8>,
}

impl EndFinder {
    /// Takes the next bytes of the stream. True where they complete the list.
    pub fn ends(&mut self, bytes: &[u8]) -> bool {
        const END: &[u8] = b"\nEND\r\n";
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(END.len())..]);
        self.last.drain(..self.last.len().saturating_sub(END.len()));
        // Of a cache without items, nothing precedes the last line.
        self.last == END || self.last == END[1..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(key: &[u8]) -> Item {
        Item {
            key: key.to_vec(),
            expires: None,
            used: 1_795_907_103,
            fetched: true,
            class: 1,
            size: 64,
            flags: None,
        }
    }

    /// As memcached writes it, and has written it since 1.6.24 where the item has flags.
    fn format(item: &Item) -> String {
        let key: String = item.key.iter().map(|byte| format!("%{byte:02X}")).collect();
        let expires = item.expires.map_or("-1".to_owned(), |at| at.to_string());
        let fetched = if item.fetched { "yes" } else { "no" };
        let flags = item.flags.map(|flags| format!(" flags={flags} ")).unwrap_or_default();
        let Item { used, class, size, .. } = item;
        format!(
            "key={key} exp={expires} la={used} cas=9 fetch={fetched} cls={class} size={size}{flags}"
        )
    }

    #[test]
    fn lines_of_real_servers() {
        let line = b"key=a%20b exp=-1 la=1795907103 cas=9 fetch=yes cls=1 size=64";
        assert_eq!(Line::parse(line), Line::Item(item(b"a b")));
        let line =
            b"key=%C3%A9%25 exp=5 la=4 cas=9 fetch=no cls=63 size=64 flags=4294967295 ext_page=1 ";
        let want = Item {
            expires: Some(5),
            used: 4,
            fetched: false,
            class: 63,
            flags: Some(u64::from(u32::MAX)),
            ..item("é%".as_bytes())
        };
        assert_eq!(Line::parse(line), Line::Item(want));
    }

    #[test]
    fn other_answers() {
        assert_eq!(Line::parse(b"OK"), Line::Begin);
        assert_eq!(Line::parse(b"END"), Line::End);
        assert_eq!(Line::parse(b"NOTSTARTED no items to crawl"), Line::Nothing);
        assert_eq!(Line::parse(b"BUSY currently processing crawler request"), Line::Busy);
        for line in ["ERROR", "ERROR metadump not allowed", "CLIENT_ERROR lru crawler disabled", ""]
        {
            assert_eq!(Line::parse(line.as_bytes()), Line::Other(line.as_bytes()));
        }
    }

    #[test]
    fn incomplete_and_broken_items() {
        for line in [
            "key= exp=-1 la=1 cas=9 fetch=yes cls=1 size=64",
            "key=a%2 exp=-1 la=1 cas=9 fetch=yes cls=1 size=64",
            "key=a%xy exp=-1 la=1 cas=9 fetch=yes cls=1 size=64",
            "key=a exp=-2 la=1 cas=9 fetch=yes cls=1 size=64",
            "key=a exp=-1 la=1 cas=9 fetch=yes cls=1",
            "key=a exp=-1 la=1 cas=9 fetch=yes cls=1 size=99999999999999999999",
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Line::Other(line.as_bytes()), "{line}");
        }
    }

    fn ends(pieces: &[&[u8]]) -> bool {
        let mut finder = EndFinder::default();
        pieces.iter().fold(false, |_, piece| finder.ends(piece))
    }

    #[test]
    fn ends_of_lists() {
        assert!(ends(&[b"END\r\n"]) && ends(&[b"OK\r\n", b"END\r", b"\n"]));
        assert!(!ends(&[b"key=END\r\n"]) && !ends(&[b"\nEND\r"]) && !ends(&[]));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let _ = Line::parse(&bytes);
            let _ = Line::parse(&[b"key=", bytes.as_slice()].concat());
        }

        #[test]
        fn items_round_trip(
            key in prop::collection::vec(any::<u8>(), 1..250),
            expires: Option<u64>, used: u64, fetched: bool, class: u32, size: u64, flags: Option<u64>,
        ) {
            let item = Item { key, expires, used, fetched, class, size, flags };
            let line = format(&item);
            prop_assert_eq!(Line::parse(line.as_bytes()), Line::Item(item));
            // What is left of a line that was cut is no item, or one with a shorter last number.
            for cut in 0..line.len() {
                let _ = Line::parse(&line.as_bytes()[..cut]);
            }
        }

        #[test]
        fn the_end_is_found_wherever_it_is_cut(bytes: Vec<u8>, first: prop::sample::Index, second: prop::sample::Index) {
            let stream = [b"key=a\n", bytes.as_slice(), b"\nEND\r\n"].concat();
            let (first, second) = (first.index(stream.len()), second.index(stream.len()));
            let (first, second) = (first.min(second), first.max(second));
            prop_assert!(ends(&[&stream[..first], &stream[first..second], &stream[second..]]));
        }
    }
}
