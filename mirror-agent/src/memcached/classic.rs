//! Classic text commands: `get`, `gets`, `set`, `add`, `delete` (protocol.txt, "Retrieval command", "Storage commands"
//! and "Deletion"). All versions understand them.

use super::{key::Named, refusal::Refusal, ttl::Ttl};

/// Whether items are told with their unique numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Get {
    /// `get`: without.
    Plain,
    /// `gets`: with them.
    Unique,
}

/// Appends one request for many items. They are told in the order of `keys`, but for those that are not there.
///
/// False where there are no keys or text cannot name one of them, and nothing was appended. A server that is asked
/// for such a key gives answers that are hard to tell from each other.
pub fn get<'a>(request: &mut Vec<u8>, kind: Get, keys: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let before = request.len();
    request.extend_from_slice(match kind {
        Get::Plain => b"get",
        Get::Unique => b"gets",
    });
    let verb = request.len();
    for key in keys {
        let Some(key) = Named::classic(key) else {
            request.truncate(before);
            return false;
        };
        request.push(b' ');
        request.extend_from_slice(&key.text);
    }
    if request.len() == verb {
        request.truncate(before);
        return false;
    }
    request.extend_from_slice(b"\r\n");
    true
}

/// A line of an answer to [`get`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// An item, whose value and an end of line follow.
    Value(Value<'a>),
    /// The end of the answer.
    End,
    /// No answer, or no more of it.
    Refused(Refusal<'a>),
}

/// What is said of an item before its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// The client's flags.
    pub flags: u64,
    /// Bytes of its value.
    pub length: usize,
    /// Its unique number, where it was asked for; 0 of a server without them (`-C`).
    pub cas: Option<u64>,
}

impl<'a> Line<'a> {
    /// Of a line without its end.
    pub fn parse(line: &'a [u8]) -> Self {
        match line {
            b"END" => Self::End,
            _ => match Value::parse(line) {
                Some(value) => Self::Value(value),
                None => Self::Refused(Refusal::parse(line)),
            },
        }
    }
}

impl<'a> Value<'a> {
    /// Of `VALUE <key> <flags> <bytes> [<cas unique>]`.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut words = line.strip_prefix(b"VALUE ")?.split(|byte| *byte == b' ');
        let key = words.next().filter(|key| !key.is_empty())?;
        let mut number = || Some(std::str::from_utf8(words.next()?).ok()?.parse::<u64>());
        let (flags, length) = (number()?.ok()?, number()?.ok()?);
        let cas = number().transpose().ok()?;
        let length = usize::try_from(length).ok()?;
        words.next().is_none().then_some(Self { key, flags, length, cas })
    }
}

/// How an item is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// In any case.
    Set,
    /// Where there is none with this key.
    Add,
}

/// A request to store an item; more about the fields is said at [`super::store::Store`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value. Where it is too large, [`Verb::Set`] takes away what is there, and [`Verb::Add`] does not.
    pub value: &'a [u8],
    /// The client's flags.
    pub flags: u64,
    /// How long it has to live.
    pub ttl: Ttl,
}

impl Item<'_> {
    /// Appends the request. `now` is the server's clock, as [`Ttl::sent`] wants it.
    ///
    /// False where text cannot name the key, and nothing was appended.
    pub fn write(&self, request: &mut Vec<u8>, verb: Verb, now: u64) -> bool {
        let Some(key) = Named::classic(self.key) else { return false };
        let verb: &[u8] = match verb {
            Verb::Set => b"set ",
            Verb::Add => b"add ",
        };
        let numbers = format!(" {} {} {}\r\n", self.flags, self.ttl.sent(now), self.value.len());
        for part in [verb, &key.text, numbers.as_bytes(), self.value, b"\r\n"] {
            request.extend_from_slice(part);
        }
        true
    }
}

/// Appends a request to delete an item.
///
/// False where text cannot name the key, and nothing was appended.
pub fn delete(request: &mut Vec<u8>, key: &[u8]) -> bool {
    let Some(key) = Named::classic(key) else { return false };
    for part in [b"delete ", key.text.as_ref(), b"\r\n"] {
        request.extend_from_slice(part);
    }
    true
}

/// The answer to a request that stores or deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// It is stored.
    Stored,
    /// [`Verb::Add`] found an item.
    NotStored,
    /// It is deleted.
    Deleted,
    /// There was nothing to delete.
    NotFound,
    /// Not done for another reason.
    Refused(Refusal<'a>),
}

impl<'a> Reply<'a> {
    /// Of a line without its end.
    pub fn parse(line: &'a [u8]) -> Self {
        match line {
            b"STORED" => Self::Stored,
            b"NOT_STORED" => Self::NotStored,
            b"DELETED" => Self::Deleted,
            b"NOT_FOUND" => Self::NotFound,
            _ => Self::Refused(Refusal::parse(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::Lines, *};

    const NOW: u64 = 1_795_907_103;

    #[test]
    fn requests_for_items() {
        let mut request = Vec::new();
        assert!(get(&mut request, Get::Plain, [&b"a"[..]]));
        assert!(get(&mut request, Get::Unique, [&b"a"[..], "é".as_bytes()]));
        assert_eq!(request, "get a\r\ngets a é\r\n".as_bytes());
        assert!(!get(&mut request, Get::Plain, [&b"a"[..], b"b c"]));
        assert!(!get(&mut request, Get::Plain, []));
        assert_eq!(request.len(), 18);
    }

    #[test]
    fn requests_that_change_items() {
        let mut request = Vec::new();
        let item = Item { key: b"a", value: b"x\r\n", flags: 7, ttl: Ttl::Remaining(100) };
        assert!(item.write(&mut request, Verb::Set, NOW));
        assert!(Item { ttl: Ttl::Never, value: b"", ..item }.write(&mut request, Verb::Add, NOW));
        assert!(delete(&mut request, b"a"));
        assert_eq!(request, b"set a 7 100 3\r\nx\r\n\r\nadd a 7 0 0\r\n\r\ndelete a\r\n");
        assert!(!Item { key: b"a b", ..item }.write(&mut request, Verb::Set, NOW));
        assert!(!delete(&mut request, b"a\n"));
    }

    #[test]
    fn lines_of_items() {
        let value = Value { key: b"a", flags: 0, length: 2, cas: None };
        assert_eq!(Line::parse(b"VALUE a 0 2"), Line::Value(value));
        let value = Value { flags: u64::from(u32::MAX), cas: Some(15), ..value };
        assert_eq!(Line::parse(b"VALUE a 4294967295 2 15"), Line::Value(value));
        assert_eq!(Line::parse(b"END"), Line::End);
        for line in [
            "",
            "VALUE",
            "VALUE a",
            "VALUE a 0",
            "VALUE a 0 -1",
            "VALUE a -1 0",
            "VALUE  0 1",
            "VALUE a 0 1 ",
            "VALUE a 0 1 2 3",
            "VALUE a 0 1 x",
            "VALUEa 0 1",
            "END ",
        ] {
            let refused = Refusal::Other(line.as_bytes());
            assert_eq!(Line::parse(line.as_bytes()), Line::Refused(refused), "{line}");
        }
        let refused = Refusal::Server(b"out of memory");
        assert_eq!(Line::parse(b"SERVER_ERROR out of memory"), Line::Refused(refused));
    }

    #[test]
    fn replies() {
        assert_eq!(Reply::parse(b"STORED"), Reply::Stored);
        assert_eq!(Reply::parse(b"NOT_STORED"), Reply::NotStored);
        assert_eq!(Reply::parse(b"DELETED"), Reply::Deleted);
        assert_eq!(Reply::parse(b"NOT_FOUND"), Reply::NotFound);
        assert_eq!(Reply::parse(b"ERROR"), Reply::Refused(Refusal::Unknown(b"")));
        assert_eq!(Reply::parse(b"STORED "), Reply::Refused(Refusal::Other(b"STORED ")));
    }

    /// An item that was told.
    type Told = (Vec<u8>, u64, Option<u64>, Vec<u8>);

    /// As memcached tells items.
    fn format(items: &[Told]) -> Vec<u8> {
        let mut answer = Vec::new();
        for (key, flags, cas, value) in items {
            let cas = cas.map(|cas| format!(" {cas}")).unwrap_or_default();
            answer.extend([b"VALUE ", key.as_slice()].concat());
            answer.extend(format!(" {flags} {}{cas}\r\n", value.len()).as_bytes());
            answer.extend([value.as_slice(), b"\r\n"].concat());
        }
        answer.extend(b"END\r\n");
        answer
    }

    /// Reads such an answer as it arrives; whether it came to its end.
    fn read(pieces: &[&[u8]]) -> (Vec<Told>, bool) {
        let (mut lines, mut items) = (Lines::default(), Vec::new());
        // Bytes that the last item lacks, with the end of its line.
        let mut lacks = 0;
        let mut ended = false;
        for piece in pieces {
            lines.push(piece);
            loop {
                if lacks > 0 {
                    let bytes = lines.take_bytes(lacks);
                    if bytes.is_empty() {
                        break;
                    }
                    lacks -= bytes.len();
                    let (.., value): &mut Told = items.last_mut().expect("an item lacks something");
                    value.extend_from_slice(bytes);
                    if lacks == 0 {
                        assert!(value.ends_with(b"\r\n"));
                        value.truncate(value.len() - 2);
                    }
                    continue;
                }
                match lines.next_line().map(Line::parse) {
                    None => break,
                    Some(Line::Value(Value { key, flags, length, cas })) => {
                        items.push((key.to_vec(), flags, cas, Vec::new()));
                        lacks = length + 2;
                    }
                    Some(Line::End) => ended = true,
                    Some(Line::Refused(refusal)) => panic!("{refusal:?}"),
                }
            }
        }
        (items, ended)
    }

    proptest! {
        #[test]
        fn answers_round_trip_wherever_they_are_cut(
            items in prop::collection::vec(
                (prop::collection::vec(0x80u8.., 1..20), any::<u64>(), any::<Option<u64>>(), any::<Vec<u8>>()),
                0..5,
            ),
            first: prop::sample::Index, second: prop::sample::Index,
        ) {
            let answer = format(&items);
            let (first, second) = (first.index(answer.len()), second.index(answer.len()));
            let (first, second) = (first.min(second), first.max(second));
            let (found, ended) = read(&[&answer[..first], &answer[first..second], &answer[second..]]);
            prop_assert!(ended);
            prop_assert_eq!(found, items);
        }

        #[test]
        fn a_request_is_as_many_words_as_it_has_keys(keys in prop::collection::vec(any::<Vec<u8>>(), 0..5)) {
            let mut request = b"before ".to_vec();
            if get(&mut request, Get::Unique, keys.iter().map(Vec::as_slice)) {
                prop_assert_eq!(request.iter().filter(|byte| **byte == b' ').count(), 1 + keys.len());
                prop_assert_eq!(request.iter().filter(|byte| **byte == b'\n').count(), 1);
            } else {
                prop_assert_eq!(request, b"before ");
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            for begin in [&b""[..], b"VALUE ", b"VALUE a ", b"VALUE a 1 1 ", b"CLIENT_ERROR"] {
                let line = [begin, bytes.as_slice()].concat();
                let _ = (Line::parse(&line), Reply::parse(&line));
            }
        }
    }
}
