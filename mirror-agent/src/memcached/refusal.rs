//! Errors (protocol.txt, "Error strings").

/// What a server says where it does not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// `ERROR`: it does not know the command, or not with such words. A few versions say why.
    Unknown(&'a [u8]),
    /// `CLIENT_ERROR`: it does not understand the request.
    Client(&'a [u8]),
    /// `SERVER_ERROR`: it cannot do it, for lack of memory for example.
    Server(&'a [u8]),
    /// Something that is no answer to the request. Whoever reads on may be out of step with the server.
    Other(&'a [u8]),
}

impl<'a> Refusal<'a> {
    /// Of a line without its end, which is nothing else that was expected.
    pub fn parse(line: &'a [u8]) -> Self {
        let reason = |word: &[u8]| match line.strip_prefix(word)? {
            [] => Some(&line[line.len()..]),
            [b' ', reason @ ..] => Some(reason),
            _ => None,
        };
        let unknown = reason(b"ERROR").map(Self::Unknown);
        unknown
            .or_else(|| reason(b"CLIENT_ERROR").map(Self::Client))
            .or_else(|| reason(b"SERVER_ERROR").map(Self::Server))
            .unwrap_or(Self::Other(line))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors() {
        assert_eq!(Refusal::parse(b"ERROR"), Refusal::Unknown(b""));
        let line = b"ERROR metadump not allowed";
        assert_eq!(Refusal::parse(line), Refusal::Unknown(b"metadump not allowed"));
        assert_eq!(Refusal::parse(b"CLIENT_ERROR invalid flag"), Refusal::Client(b"invalid flag"));
        let line = b"SERVER_ERROR object too large for cache";
        assert_eq!(Refusal::parse(line), Refusal::Server(b"object too large for cache"));
        for line in ["", "ERRORS", " ERROR", "STORED", "HTTP/1.1 400 Bad Request"] {
            assert_eq!(Refusal::parse(line.as_bytes()), Refusal::Other(line.as_bytes()), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let _ = Refusal::parse(&bytes);
        }

        #[test]
        fn reasons_are_kept(reason in prop::collection::vec(any::<u8>(), 1..100)) {
            let line = [b"SERVER_ERROR ", reason.as_slice()].concat();
            prop_assert_eq!(Refusal::parse(&line), Refusal::Server(&reason));
        }
    }
}
