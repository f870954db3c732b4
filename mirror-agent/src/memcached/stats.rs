//! General statistics, `stats` (protocol.txt, "General-purpose statistics").

/// Asks for them.
pub(super) const REQUEST: &[u8] = b"stats\r\n";

/// What the agent wants to know of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The server's clock, in seconds since the epoch.
    pub time: Option<u64>,
    /// Items, including some that have expired.
    pub items: Option<u64>,
    /// The server's process.
    pub process: Option<u64>,
    /// For how many seconds it has run.
    pub uptime: Option<u64>,
    /// Its version: the three numbers that it begins with.
    pub version: Option<[u32; 3]>,
}

/// What a line of the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// `STAT <name> <value>`.
    Stat,
    /// The last line.
    End,
    /// None of these.
    Other,
}

impl Stats {
    /// Takes a line without its end.
    pub(super) fn take(&mut self, line: &[u8]) -> Line {
        if line == b"END" {
            return Line::End;
        }
        let Some(stat) = line.strip_prefix(b"STAT ") else { return Line::Other };
        let stat = String::from_utf8_lossy(stat);
        match stat.split_once(' ') {
            Some(("time", value)) => self.time = value.parse().ok(),
            Some(("pid", value)) => self.process = value.parse().ok(),
            Some(("version", value)) => self.version = version(value),
            Some(("uptime", value)) => self.uptime = value.parse().ok(),
            Some(("curr_items", value)) => self.items = value.parse().ok(),
            _ => {}
        }
        Line::Stat
    }
}

/// Of `1.6.18`, or of somebody's `1.6.18-rc1`.
fn version(text: &str) -> Option<[u32; 3]> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_counts() {
        let mut stats = Stats::default();
        for line in [
            "STAT pid 1",
            "STAT uptime 2",
            "STAT time 1795907103",
            "STAT curr_items 7",
            "STAT version 1.6.18",
            "STAT libevent",
        ] {
            assert_eq!(stats.take(line.as_bytes()), Line::Stat);
        }
        assert_eq!(stats.take(b"END"), Line::End);
        let want = Stats {
            time: Some(1_795_907_103),
            items: Some(7),
            process: Some(1),
            uptime: Some(2),
            version: Some([1, 6, 18]),
        };
        assert_eq!(stats, want);
        for line in ["", "ERROR", "CLIENT_ERROR unauthenticated", "HTTP/1.1 400 Bad Request"] {
            assert_eq!(stats.take(line.as_bytes()), Line::Other);
        }
    }

    #[test]
    fn versions() {
        assert_eq!(version("1.4.34-amazon"), Some([1, 4, 34]));
        assert_eq!(version("1.6.40_2"), Some([1, 6, 40]));
        for none in ["", "1.6", "next", "1..2", "99999999999.1.1"] {
            assert_eq!(version(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes: Vec<u8>) {
            let mut stats = Stats::default();
            stats.take(&bytes);
            stats.take(&[b"STAT time ", bytes.as_slice()].concat());
        }
    }
}
