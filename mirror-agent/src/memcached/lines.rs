//! Lines of a stream that arrives in pieces.

/// No line that the agent asks for is longer: memcached reserves 4096 bytes for a line of a dump.
const MAX_LINE: usize = 8192;

/// Cuts a stream into lines. Holds what was pushed last and at most one incomplete line.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: Vec<u8>,
    start: usize,
}

impl Lines {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line without its end, LF or CRLF. A line that is too long comes in pieces.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        let rest = &self.buffer[self.start..];
        let window = &rest[..rest.len().min(MAX_LINE)];
        let (line, used) = match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&rest[..end], end + 1),
            None if window.len() == MAX_LINE => (window, MAX_LINE),
            None => return None,
        };
        self.start += used;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Takes bytes that are no line, as many as are there, up to `most`.
    pub fn take_bytes(&mut self, most: usize) -> &[u8] {
        let rest = &self.buffer[self.start..];
        let taken = &rest[..rest.len().min(most)];
        self.start += taken.len();
        taken
    }

    /// What follows the lines that were taken.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next_line() {
                found.push(line.to_vec());
            }
        }
        found
    }

    #[test]
    fn both_line_ends() {
        assert_eq!(all(&[b"a\nb\r", b"\n\n\r\nc"]), [&b"a"[..], b"b", b"", b""]);
    }

    #[test]
    fn bytes_between_lines() {
        let mut lines = Lines::default();
        lines.push(b"VA 3\r\na\nb\r\nEN\r\n");
        assert_eq!(lines.next_line(), Some(&b"VA 3"[..]));
        assert_eq!(lines.take_bytes(2), b"a\n");
        assert_eq!(lines.take_bytes(3), b"b\r\n");
        assert_eq!(lines.next_line(), Some(&b"EN"[..]));
        assert_eq!(lines.take_bytes(3), b"");
    }

    #[test]
    fn memory_is_bounded() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.push(&[b'x'; 1000]);
            while lines.next_line().is_some() {}
            assert!(lines.rest().len() < MAX_LINE);
            assert!(lines.buffer.len() < MAX_LINE + 1000);
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes: Vec<u8>, cut: prop::sample::Index) {
            let cut = cut.index(bytes.len() + 1);
            prop_assert_eq!(all(&[&bytes[..cut], &bytes[cut..]]), all(&[&bytes]));
        }
    }
}
