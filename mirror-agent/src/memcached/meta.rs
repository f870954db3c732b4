//! Meta get, `mg` (protocol.txt, "Meta Get"), of which the agent asks for flags and values.

/// The most bytes of a key in a request, as memcached counts them: before it decodes base64.
const MAX_KEY: usize = 250;

/// What is asked for of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The client's flags.
    Flags,
    /// These and the value.
    Value,
}

/// Appends a request that does not count as an access of the item (`u`).
///
/// False where the text protocol cannot name the key, and nothing was appended.
pub fn ask(request: &mut Vec<u8>, key: &[u8], wanted: Wanted) -> bool {
    let encoded;
    let (name, mark): (&[u8], &[u8]) = if key.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        encoded = base64(key);
        (&encoded, b" b")
    } else {
        (key, b"")
    };
    if name.is_empty() || name.len() > MAX_KEY {
        return false;
    }
    let flags: &[u8] = match wanted {
        Wanted::Flags => b" u f\r\n",
        Wanted::Value => b" u f v\r\n",
    };
    for part in [b"mg ", name, mark, flags] {
        request.extend_from_slice(part);
    }
    true
}

/// The first line of an answer to [`ask`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The item is there.
    Hit {
        /// The client's flags.
        flags: u64,
        /// Bytes of the value, which follows with an end of line; `None` where it was not asked for.
        length: Option<usize>,
    },
    /// It is gone.
    Miss,
    /// The server said something else.
    Other,
}

impl Answer {
    /// Of a line without its end.
    pub fn parse(line: &[u8]) -> Self {
        if line == b"EN" {
            return Self::Miss;
        }
        Self::hit(line).unwrap_or(Self::Other)
    }

    /// Of `HD <flags>*` and `VA <size> <flags>*`.
    fn hit(line: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let length = match words.next()? {
            "HD" => None,
            "VA" => Some(words.next()?.parse().ok()?),
            _ => return None,
        };
        // A base64 key is marked, and so is a stale item.
        let flags = words.find_map(|word| word.strip_prefix('f')?.parse().ok())?;
        Some(Self::Hit { flags, length })
    }
}

/// RFC 4648, section 4, with padding.
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index| u32::from(group.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { digit } else { b'=' });
        }
    }
    text
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
    fn answers() {
        let hit = |flags, length| Answer::Hit { flags, length };
        assert_eq!(Answer::parse(b"HD f4294967295"), hit(u64::from(u32::MAX), None));
        assert_eq!(Answer::parse(b"HD f7 b W"), hit(7, None));
        assert_eq!(Answer::parse(b"VA 0 f7"), hit(7, Some(0)));
        assert_eq!(Answer::parse(b"VA 1048576 b f7"), hit(7, Some(1 << 20)));
        assert_eq!(Answer::parse(b"EN"), Answer::Miss);
        for line in
            ["", "HD", "HD f", "HD f-1", "ERROR", "SERVER_ERROR f1", "VA f1", "VA -1 f1", "VA 1"]
        {
            assert_eq!(Answer::parse(line.as_bytes()), Answer::Other, "{line}");
        }
    }

    #[test]
    fn base64_of_rfc_4648() {
        // Section 10.
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn a_request_is_one_line(key: Vec<u8>) {
            let mut request = Vec::new();
            if ask(&mut request, &key, Wanted::Flags) {
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
        }

        #[test]
        fn answers_round_trip(flags: u64, length: usize) {
            let line = format!("HD f{flags}");
            prop_assert_eq!(Answer::parse(line.as_bytes()), Answer::Hit { flags, length: None });
            let line = format!("VA {length} f{flags}");
            prop_assert_eq!(Answer::parse(line.as_bytes()), Answer::Hit { flags, length: Some(length) });
        }
    }
}
