//! The URI encoding of keys in lists and in lines of watchers: `%` and two hexadecimal digits for each byte that is
//! no letter, digit, `-`, `.`, `_` or `~` (RFC 3986, section 2.3).

/// Undoes the encoding. `None` where a `%` is not followed by two hexadecimal digits, or where nothing is there.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => digit(*bytes.next()?)? << 4 | digit(*bytes.next()?)?,
            byte => *byte,
        });
    }
    (!decoded.is_empty()).then_some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// As memcached writes it.
#[cfg(test)]
pub(super) fn encode(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' => text.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(*byte)),
            byte => write!(text, "%{byte:02X}").expect("a string takes all"),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_cases_of_digits() {
        assert_eq!(decode(b"a%20%c3%A9"), Some("a é".as_bytes().to_vec()));
    }

    #[test]
    fn broken_text() {
        for text in ["", "%", "%2", "a%2", "%xy", "%+1", "% 1"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }

        #[test]
        fn keys_round_trip(key in prop::collection::vec(any::<u8>(), 1..250)) {
            prop_assert_eq!(decode(encode(&key).as_bytes()), Some(key));
        }
    }
}
