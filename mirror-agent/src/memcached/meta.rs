//! Meta get, `mg` (protocol.txt, "Meta Get"), of which the agent asks for flags only.

/// The most bytes of a key in a request, as memcached counts them: before it decodes base64.
const MAX_KEY: usize = 250;

/// Appends a request for a key's flags that does not count as an access of the item (`u`).
///
/// False where the text protocol cannot name the key, and nothing was appended.
pub fn ask_flags(request: &mut Vec<u8>, key: &[u8]) -> bool {
    let encoded;
    let (name, marks): (&[u8], &[u8]) = if key.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        encoded = base64(key);
        (&encoded, b" b u f\r\n")
    } else {
        (key, b" u f\r\n")
    };
    if name.is_empty() || name.len() > MAX_KEY {
        return false;
    }
    for part in [b"mg ", name, marks] {
        request.extend_from_slice(part);
    }
    true
}

/// An answer to [`ask_flags`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flags {
    /// The item is there, with these flags.
    Hit(u64),
    /// It is gone.
    Miss,
    /// The server said something else.
    Other,
}

impl Flags {
    /// Of a line without its end.
    pub fn parse(line: &[u8]) -> Self {
        if line == b"EN" {
            return Self::Miss;
        }
        let Ok(line) = std::str::from_utf8(line) else { return Self::Other };
        let mut words = line.split(' ');
        if words.next() != Some("HD") {
            return Self::Other;
        }
        // A base64 key is repeated with its mark, and a stale item has marks, too.
        let flags = words.find_map(|word| word.strip_prefix('f')?.parse().ok());
        flags.map_or(Self::Other, Self::Hit)
    }
}

/// RFC 4648, section 4, with padding.
fn base64(bytes: &[u8]) -> Vec<u8> {
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
        ask_flags(&mut request, key)
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
    fn answers() {
        assert_eq!(Flags::parse(b"HD f4294967295"), Flags::Hit(u64::from(u32::MAX)));
        assert_eq!(Flags::parse(b"HD f7 b W"), Flags::Hit(7));
        assert_eq!(Flags::parse(b"EN"), Flags::Miss);
        for line in ["", "HD", "HD f", "HD f-1", "ERROR", "SERVER_ERROR f1", "VA 1 f1"] {
            assert_eq!(Flags::parse(line.as_bytes()), Flags::Other, "{line}");
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
            if ask_flags(&mut request, &key) {
                prop_assert_eq!(request.iter().filter(|byte| **byte == b'\n').count(), 1);
                let words = request.split(|byte| *byte == b' ').count();
                prop_assert!(words == 4 || words == 5);
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let _ = Flags::parse(&bytes);
            let _ = Flags::parse(&[b"HD f", bytes.as_slice()].concat());
        }

        #[test]
        fn answers_round_trip(flags: u64) {
            prop_assert_eq!(Flags::parse(format!("HD f{flags}").as_bytes()), Flags::Hit(flags));
        }
    }
}
