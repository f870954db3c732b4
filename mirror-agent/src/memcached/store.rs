//! Meta set and meta delete, `ms` and `md` (protocol.txt, "Meta Set" and "Meta Delete").
//!
//! Each request is answered by one line, in the order of the requests. They are understood from 1.6.10 on; unique
//! numbers are compared and told as they should be from 1.6.13 on.

use std::num::NonZeroU64;

use super::{key::Named, refusal::Refusal, ttl::Ttl};

/// When an item is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In any case.
    Set,
    /// Where there is none with this key.
    Add,
    /// Where there is one.
    Replace,
    /// Where there is one, and its unique number is this.
    Compare(NonZeroU64),
}

/// A request to store an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value. Where this is more than the server's `item_size_max` allows, or than it has memory for, an item that
    /// is there goes as well, whatever the mode is.
    pub value: &'a [u8],
    /// The client's flags, in as many bytes as `client_flags_size` of `stats settings` says, which are four usually. Of
    /// what is more, some versions store a part without an error.
    pub flags: u64,
    /// How long it has to live.
    pub ttl: Ttl,
    /// When to store it.
    pub mode: Mode,
    /// The unique number that it gets instead of the server's next one. Understood from 1.6.27 on; refused before.
    pub cas: Option<NonZeroU64>,
}

impl Store<'_> {
    /// Appends the request. `now` is the server's clock, as [`Ttl::sent`] wants it.
    ///
    /// False where the text protocol cannot name the key, and nothing was appended.
    pub fn write(&self, request: &mut Vec<u8>, now: u64) -> bool {
        let Some(key) = Named::meta(self.key) else { return false };
        let (mode, compare) = match self.mode {
            Mode::Set => ("S", None),
            Mode::Add => ("E", None),
            Mode::Replace => ("R", None),
            Mode::Compare(cas) => ("S", Some(cas)),
        };
        request.extend_from_slice(b"ms ");
        request.extend_from_slice(&key.text);
        request.extend_from_slice(format!(" {}", self.value.len()).as_bytes());
        mark(request, &key);
        let (ttl, flags) = (self.ttl.sent(now), self.flags);
        request.extend_from_slice(format!(" T{ttl} F{flags} M{mode} c").as_bytes());
        number(request, 'C', compare);
        number(request, 'E', self.cas);
        for part in [b"\r\n", self.value, b"\r\n"] {
            request.extend_from_slice(part);
        }
        true
    }
}

/// Appends a request to delete an item: in any case, or where its unique number is this.
///
/// False where the text protocol cannot name the key, and nothing was appended.
pub fn delete(request: &mut Vec<u8>, key: &[u8], compare: Option<NonZeroU64>) -> bool {
    let Some(key) = Named::meta(key) else { return false };
    request.extend_from_slice(b"md ");
    request.extend_from_slice(&key.text);
    mark(request, &key);
    number(request, 'C', compare);
    request.extend_from_slice(b"\r\n");
    true
}

fn mark(request: &mut Vec<u8>, key: &Named<'_>) {
    if key.encoded {
        request.extend_from_slice(b" b");
    }
}

fn number(request: &mut Vec<u8>, flag: char, number: Option<NonZeroU64>) {
    if let Some(number) = number {
        request.extend_from_slice(format!(" {flag}{number}").as_bytes());
    }
}

/// The answer to either request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Done. Of an item that was stored, this is the unique number; a server without them (`-C`) tells none.
    Done(Option<NonZeroU64>),
    /// The item has another unique number.
    Differs,
    /// [`Mode::Add`] found an item, or [`Mode::Replace`] none.
    NotStored,
    /// There is none to compare with, or to delete.
    NotFound,
    /// Not done for another reason.
    Refused(Refusal<'a>),
}

impl<'a> Reply<'a> {
    /// Of a line without its end.
    pub fn parse(line: &'a [u8]) -> Self {
        Self::done_or_not(line).unwrap_or_else(|| Self::Refused(Refusal::parse(line)))
    }

    /// Of `HD`, `EX`, `NS` or `NF`, and flags, of which all but `c` are ignored.
    fn done_or_not(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        match words.next()? {
            b"EX" => Some(Self::Differs),
            b"NS" => Some(Self::NotStored),
            b"NF" => Some(Self::NotFound),
            b"HD" => match words.find_map(|word| word.strip_prefix(b"c")) {
                None => Some(Self::Done(None)),
                Some(digits) => {
                    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
                    Some(Self::Done(NonZeroU64::new(number)))
                }
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Lines, base64::base64},
        *,
    };

    const NOW: u64 = 1_795_907_103;

    fn cas(number: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(number)
    }

    fn text(store: &Store<'_>) -> String {
        let mut request = Vec::new();
        assert!(store.write(&mut request, NOW));
        String::from_utf8(request).expect("the items of these tests are UTF-8")
    }

    #[test]
    fn requests_to_store() {
        let store = Store {
            key: b"a",
            value: b"xy",
            flags: 0,
            ttl: Ttl::Never,
            mode: Mode::Set,
            cas: None,
        };
        assert_eq!(text(&store), "ms a 2 T0 F0 MS c\r\nxy\r\n");
        let add = Store { mode: Mode::Add, cas: cas(7), ttl: Ttl::Remaining(0), ..store };
        assert_eq!(text(&add), "ms a 2 T-1 F0 ME c E7\r\nxy\r\n");
        let replace =
            Store { mode: Mode::Replace, flags: u64::from(u32::MAX), value: b"", ..store };
        assert_eq!(text(&replace), "ms a 0 T0 F4294967295 MR c\r\n\r\n");
        let mode = Mode::Compare(NonZeroU64::MAX);
        let compare = Store { key: b"a b", mode, ttl: Ttl::Remaining(2_592_001), ..store };
        assert_eq!(
            text(&compare),
            "ms YSBi 2 b T1798499104 F0 MS c C18446744073709551615\r\nxy\r\n"
        );
        let mut request = b"before".to_vec();
        assert!(!Store { key: b"", ..store }.write(&mut request, NOW) && request == b"before");
    }

    #[test]
    fn requests_to_delete() {
        let mut request = Vec::new();
        assert!(delete(&mut request, b"a", None) && delete(&mut request, b"a b", cas(5)));
        assert!(!delete(&mut request, &[b'a'; 251], None));
        assert_eq!(request, b"md a\r\nmd YSBi b C5\r\n");
    }

    #[test]
    fn replies() {
        assert_eq!(Reply::parse(b"HD c77"), Reply::Done(cas(77)));
        assert_eq!(Reply::parse(b"HD O5 kYQ== b c77"), Reply::Done(cas(77)));
        assert_eq!(Reply::parse(b"HD c0"), Reply::Done(None));
        assert_eq!(Reply::parse(b"HD"), Reply::Done(None));
        assert_eq!(Reply::parse(b"EX c0"), Reply::Differs);
        assert_eq!(Reply::parse(b"NS c0"), Reply::NotStored);
        assert_eq!(Reply::parse(b"NF"), Reply::NotFound);
        let refused = Refusal::Client(b"invalid flag");
        assert_eq!(Reply::parse(b"CLIENT_ERROR invalid flag"), Reply::Refused(refused));
        for line in ["", "H", "HDc1", "HD c", "HD c-1", "HD c18446744073709551616", "OK", "EN"] {
            let refused = Refusal::Other(line.as_bytes());
            assert_eq!(Reply::parse(line.as_bytes()), Reply::Refused(refused), "{line}");
        }
    }

    /// What memcached reads of a request: key, value, numbers by flag.
    fn read(request: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<String>) {
        let mut lines = Lines::default();
        lines.push(request);
        let line = String::from_utf8(lines.next_line().expect("a line").to_vec());
        let line = line.expect("keys of ASCII letters or in base64");
        let mut words = line.split(' ').map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some("ms"));
        let key = words.next().expect("a key").into_bytes();
        let length = words.next().and_then(|word| word.parse().ok()).expect("a length");
        let value = lines.take_bytes(length).to_vec();
        assert_eq!(lines.next_line(), Some(&b""[..]));
        assert_eq!(lines.rest(), b"");
        (key, value, words.collect())
    }

    proptest! {
        #[test]
        fn requests_are_read_as_they_were_meant(
            key in "[a-z]{1,20}| [a-z]{1,20}\r\n", value: Vec<u8>, flags: u64, seconds in 1..2_592_000u64,
            compare in 1u64.., new: Option<u64>, mode in 0..4usize,
        ) {
            let compare = NonZeroU64::MIN.saturating_add(compare - 1);
            let mode = [Mode::Set, Mode::Add, Mode::Replace, Mode::Compare(compare)][mode];
            let new = new.and_then(NonZeroU64::new);
            let ttl = Ttl::Remaining(seconds);
            let store = Store { key: key.as_bytes(), value: &value, flags, ttl, mode, cas: new };
            let mut request = Vec::new();
            prop_assert!(store.write(&mut request, NOW));
            let (name, held, words) = read(&request);
            let encoded = words.iter().any(|word| word == "b");
            prop_assert_eq!(name, if encoded { base64(key.as_bytes()) } else { key.into_bytes() });
            prop_assert_eq!(held, value);
            let find = |flag| words.iter().find_map(|word| word.strip_prefix(flag)).map(str::to_owned);
            prop_assert_eq!((find('F'), find('T')), (Some(flags.to_string()), Some(seconds.to_string())));
            prop_assert_eq!(find('E'), new.map(|number| number.to_string()));
            let (letter, number) = match mode {
                Mode::Set => ("S", None),
                Mode::Add => ("E", None),
                Mode::Replace => ("R", None),
                Mode::Compare(number) => ("S", Some(number.to_string())),
            };
            prop_assert_eq!((find('M'), find('C')), (Some(letter.to_owned()), number));
        }

        #[test]
        fn replies_round_trip(number in 1u64..) {
            let line = format!("HD c{number}");
            prop_assert_eq!(Reply::parse(line.as_bytes()), Reply::Done(cas(number)));
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            for begin in [&b""[..], b"HD ", b"HD c", b"EX ", b"SERVER_ERROR"] {
                let _ = Reply::parse(&[begin, bytes.as_slice()].concat());
            }
            let store = Store {
                key: &bytes, value: &bytes, flags: 0, ttl: Ttl::Never, mode: Mode::Set, cas: None,
            };
            let mut request = Vec::new();
            if store.write(&mut request, NOW) {
                let line = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let words = line.split(|byte| *byte == b' ').count();
                prop_assert!(words == 7 || words == 8);
            }
        }
    }
}
