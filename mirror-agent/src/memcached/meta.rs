//! Meta commands that read, `mg` and `me` (protocol.txt, "Meta Get" and "Meta Debug").

use super::{key::Named, ttl::Ttl};

/// What is asked for of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The client's flags.
    Flags,
    /// These and the value.
    Value,
    /// These, how long the item has to live, and its unique number.
    Everything,
}

/// Appends an `mg` that does not count as an access of the item (`u`).
///
/// False where the text protocol cannot name the key, and nothing was appended.
pub fn ask(request: &mut Vec<u8>, key: &[u8], wanted: Wanted) -> bool {
    append(
        request,
        b"mg ",
        key,
        match wanted {
            Wanted::Flags => b" u f",
            Wanted::Value => b" u f v",
            Wanted::Everything => b" u f t c v",
        },
    )
}

/// Appends a question whether an item is there: an `me`, which memcached does not count as a read in its statistics
/// either. Where the key is not plain, an `mg` of [`ask`]'s kind, since `me` answers with the key as the binary protocol
/// stored it, line ends and all.
///
/// False where the text protocol cannot name the key, and nothing was appended.
pub fn examine(request: &mut Vec<u8>, key: &[u8]) -> bool {
    match Named::meta(key) {
        Some(Named { encoded: true, .. }) => append(request, b"mg ", key, b" u f c"),
        _ => append(request, b"me ", key, b""),
    }
}

fn append(request: &mut Vec<u8>, command: &[u8], key: &[u8], flags: &[u8]) -> bool {
    let Some(key) = Named::meta(key) else { return false };
    let mark: &[u8] = if key.encoded { b" b" } else { b"" };
    for part in [command, &key.text, mark, flags, b"\r\n"] {
        request.extend_from_slice(part);
    }
    true
}

/// The first line of an answer to [`ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The item is there.
    Hit(Hit),
    /// It is gone.
    Miss,
    /// The server said something else.
    Other,
}

/// What an `mg` found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// The client's flags.
    pub flags: u64,
    /// Bytes of the value, which follows with an end of line; `None` where it was not asked for.
    pub length: Option<usize>,
    /// How long the item has to live, where that was asked for.
    pub left: Option<Ttl>,
    /// The item's unique number, where that was asked for; 0 where the server gives none (`-C`).
    pub unique: Option<u64>,
    /// A client has marked the item as stale (`X`).
    pub stale: bool,
    /// Of a stale item, this answer is the one that may renew it (`W`).
    pub won: bool,
}

impl Answer {
    /// Of a line without its end.
    pub fn parse(line: &[u8]) -> Self {
        if line == b"EN" {
            return Self::Miss;
        }
        Self::hit(line).map_or(Self::Other, Self::Hit)
    }

    /// Of `HD <flags>*` and `VA <size> <flags>*`.
    fn hit(line: &[u8]) -> Option<Hit> {
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let length = match words.next()? {
            "HD" => None,
            "VA" => Some(words.next()?.parse().ok()?),
            _ => return None,
        };
        let mut hit = Hit { length, ..Hit::default() };
        let (mut flags, mut winner) = (None, false);
        for word in words {
            // A base64 key is marked, and so is an item whose renewal somebody else has won (`Z`).
            match word {
                "W" => winner = true,
                "X" => hit.stale = true,
                _ if word.starts_with('f') => flags = Some(word[1..].parse().ok()?),
                _ if word.starts_with('c') => hit.unique = Some(word[1..].parse().ok()?),
                _ if word.starts_with('t') => hit.left = Some(ttl(&word[1..])?),
                _ => {}
            }
        }
        hit.flags = flags?;
        hit.won = hit.stale && winner;
        Some(hit)
    }
}

/// Of what follows `t`.
fn ttl(text: &str) -> Option<Ttl> {
    // Less than -1 is nothing that a server says.
    let number: i64 = text.parse().ok()?;
    (number >= -1).then(|| Ttl::told(number))
}

/// An answer to [`examine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Examined {
    /// The item is there.
    Hit {
        /// The item's unique number, as in [`Hit`].
        unique: u64,
        /// Bytes that it takes, with header, key and flags, where the server tells.
        size: Option<u64>,
    },
    /// It is gone.
    Miss,
    /// The server said something else.
    Other,
}

impl Examined {
    /// Of a line without its end: `ME <key> exp=… la=… cas=… fetch=… cls=… size=…`, or what answers an `mg`. `exp` is
    /// left out, since memcached before 1.6.24 writes one second and forever alike.
    pub fn parse(line: &[u8]) -> Self {
        if line == b"EN" {
            return Self::Miss;
        }
        Self::hit(line).unwrap_or(Self::Other)
    }

    fn hit(line: &[u8]) -> Option<Self> {
        let Some(rest) = line.strip_prefix(b"ME ") else {
            let Answer::Hit(Hit { unique: Some(unique), .. }) = Answer::parse(line) else {
                return None;
            };
            return Some(Self::Hit { unique, size: None });
        };
        // The key need not be UTF-8.
        let fields = &rest[rest.iter().position(|byte| *byte == b' ')?..];
        let (mut unique, mut size) = (None, None);
        for field in std::str::from_utf8(fields).ok()?.split(' ') {
            match field.split_once('=') {
                Some(("cas", value)) => unique = Some(value.parse().ok()?),
                Some(("size", value)) => size = Some(value.parse().ok()?),
                _ => {}
            }
        }
        Some(Self::Hit { unique: unique?, size: Some(size?) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(key: &[u8]) -> Option<String> {
        let mut request = Vec::new();
        ask(&mut request, key, Wanted::Flags)
            .then(|| String::from_utf8(request).expect("the keys of these tests are UTF-8"))
    }

    #[test]
    fn requests() {
        assert_eq!(request("é%".as_bytes()).as_deref(), Some("mg é% u f\r\n"));
        assert_eq!(request(b"a b").as_deref(), Some("mg YSBi b u f\r\n"));
        assert!(request(&[b'a'; 250]).is_some() && request(&[b' '; 186]).is_some());
        assert!(request(&[b'a'; 251]).is_none() && request(&[b' '; 187]).is_none());
        assert!(request(b"").is_none());
    }

    #[test]
    fn requests_for_values() {
        let mut request = Vec::new();
        assert!(ask(&mut request, b"a", Wanted::Value) && ask(&mut request, b"a b", Wanted::Value));
        assert_eq!(request, b"mg a u f v\r\nmg YSBi b u f v\r\n");
    }

    #[test]
    fn questions() {
        let mut request = Vec::new();
        assert!(
            examine(&mut request, b"a")
                && examine(&mut request, b"a b")
                && !examine(&mut request, b"")
        );
        assert_eq!(request, b"me a\r\nmg YSBi b u f c\r\n");
    }

    #[test]
    fn answers() {
        let hit = |flags, length| Answer::Hit(Hit { flags, length, ..Hit::default() });
        assert_eq!(Answer::parse(b"HD f4294967295"), hit(u64::from(u32::MAX), None));
        assert_eq!(Answer::parse(b"HD f7 b W"), hit(7, None));
        assert_eq!(Answer::parse(b"VA 0 f7"), hit(7, Some(0)));
        assert_eq!(Answer::parse(b"VA 1048576 b f7"), hit(7, Some(1 << 20)));
        assert_eq!(Answer::parse(b"EN"), Answer::Miss);
        for line in [
            "",
            "HD",
            "HD f",
            "HD f-1",
            "ERROR",
            "SERVER_ERROR f1",
            "VA f1",
            "VA -1 f1",
            "VA 1",
            "HD f1 t-2",
            "HD f1 c",
        ] {
            assert_eq!(Answer::parse(line.as_bytes()), Answer::Other, "{line}");
        }
    }

    /// As 1.6.18 says it.
    #[test]
    fn everything_of_an_item() {
        let hit = |left, unique, stale, won| {
            let (left, unique) = (Some(left), Some(unique));
            Answer::Hit(Hit { flags: 7, length: Some(3), left, unique, stale, won })
        };
        let seconds = Ttl::Remaining;
        assert_eq!(Answer::parse(b"VA 3 t-1 f7 c1"), hit(Ttl::Never, 1, false, false));
        assert_eq!(Answer::parse(b"VA 3 t30 f7 c5 X W"), hit(seconds(30), 5, true, true));
        assert_eq!(Answer::parse(b"VA 3 t30 f7 c5 Z X"), hit(seconds(30), 5, true, false));
        assert_eq!(Answer::parse(b"VA 3 t4294967295 f7 c5"), hit(seconds(0), 5, false, false));
    }

    #[test]
    fn examined() {
        let line = b"ME a exp=-100 la=0 cas=3 fetch=no cls=1 size=65";
        assert_eq!(Examined::parse(line), Examined::Hit { unique: 3, size: Some(65) });
        assert_eq!(Examined::parse(b"HD f0 c3"), Examined::Hit { unique: 3, size: None });
        let line = b"ME \xff exp=-1 la=0 cas=0 fetch=no cls=1 size=65 more=1";
        assert_eq!(Examined::parse(line), Examined::Hit { unique: 0, size: Some(65) });
        assert_eq!(Examined::parse(b"EN"), Examined::Miss);
        for line in [
            "",
            "ERROR",
            "HD f1",
            "ME",
            "ME a",
            "ME a cas=3",
            "ME a cas=x size=1",
            "CLIENT_ERROR x",
        ] {
            assert_eq!(Examined::parse(line.as_bytes()), Examined::Other, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_request_is_one_line(key: Vec<u8>) {
            let mut request = Vec::new();
            let asked = ask(&mut request, &key, Wanted::Flags);
            prop_assert_eq!(asked, Named::meta(&key).is_some());
            if asked {
                prop_assert_eq!(request.iter().filter(|byte| **byte == b'\n').count(), 1);
                let words = request.split(|byte| *byte == b' ').count();
                prop_assert!(words == 4 || words == 5);
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            for begin in [&b""[..], b"HD f", b"VA ", b"VA 1 f"] {
                let _ = Answer::parse(&[begin, bytes.as_slice()].concat());
            }
            let _ = Examined::parse(&[b"ME ", bytes.as_slice()].concat());
        }

        #[test]
        fn answers_round_trip(flags: u64, length: usize) {
            let line = format!("HD f{flags}");
            let hit = Hit { flags, ..Hit::default() };
            prop_assert_eq!(Answer::parse(line.as_bytes()), Answer::Hit(hit));
            let line = format!("VA {length} f{flags}");
            prop_assert_eq!(Answer::parse(line.as_bytes()), Answer::Hit(Hit { length: Some(length), ..hit }));
        }
    }
}
