//! Keys in requests of the text protocols (protocol.txt, "Keys" and "Meta Commands").

use std::borrow::Cow;

use super::base64::base64;

/// The most bytes of a key in a request, as memcached counts them: before it decodes base64.
const MAX: usize = 250;

/// A key as a request has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Its text.
    pub text: Cow<'a, [u8]>,
    /// Whether that is base64, which a request of meta commands says by `b`.
    pub encoded: bool,
}

impl<'a> Named<'a> {
    /// The key for classic commands, which have no encoding. `None` where text cannot name it.
    pub fn classic(key: &'a [u8]) -> Option<Self> {
        let fits = !key.is_empty() && key.len() <= MAX;
        (fits && !key.iter().any(separates)).then_some(Self { text: key.into(), encoded: false })
    }

    /// The key for meta commands: in base64 only where it has to be. `None` where there is no key, or where that is
    /// too long, which base64 is of more than 186 bytes.
    pub fn meta(key: &'a [u8]) -> Option<Self> {
        if !key.iter().any(separates) {
            return Self::classic(key);
        }
        let text = base64(key);
        (text.len() <= MAX).then_some(Self { text: text.into(), encoded: true })
    }
}

/// Whether a byte ends a key: blanks, and control characters, which protocol.txt does not allow.
fn separates(byte: &u8) -> bool {
    *byte <= b' ' || *byte == 0x7f
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(key: &[u8]) -> Option<Named<'_>> {
        Some(Named { text: key.into(), encoded: false })
    }

    #[test]
    fn keys_of_both_kinds() {
        for key in ["a", "é%", "%41", "noreply"] {
            assert_eq!(Named::classic(key.as_bytes()), plain(key.as_bytes()));
            assert_eq!(Named::meta(key.as_bytes()), plain(key.as_bytes()));
        }
        for key in ["a b", "a\r\nb", "a\0", "\x7f"] {
            assert_eq!(Named::classic(key.as_bytes()), None);
            let text = base64(key.as_bytes()).into();
            assert_eq!(Named::meta(key.as_bytes()), Some(Named { text, encoded: true }));
        }
    }

    #[test]
    fn keys_that_text_cannot_name() {
        assert!(Named::meta(&[b'a'; 250]).is_some() && Named::classic(&[b'a'; 250]).is_some());
        assert!(Named::meta(&[b' '; 186]).is_some());
        for key in [&[b'a'; 251][..], &[b' '; 187], b""] {
            assert_eq!((Named::classic(key), Named::meta(key)), (None, None));
        }
    }

    proptest! {
        #[test]
        fn a_key_is_one_word(key: Vec<u8>) {
            for named in [Named::classic(&key), Named::meta(&key)].into_iter().flatten() {
                prop_assert!((1..=MAX).contains(&named.text.len()));
                prop_assert!(!named.text.iter().any(separates));
            }
        }
    }
}
