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
            Some(("uptime", value)) => self.uptime = value.parse().ok(),
            Some(("curr_items", value)) => self.items = value.parse().ok(),
            _ => {}
        }
        Line::Stat
    }
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
            "STAT libevent",
        ] {
            assert_eq!(stats.take(line.as_bytes()), Line::Stat);
        }
        assert_eq!(stats.take(b"END"), Line::End);
        let want =
            Stats { time: Some(1_795_907_103), items: Some(7), process: Some(1), uptime: Some(2) };
        assert_eq!(stats, want);
        for line in ["", "ERROR", "CLIENT_ERROR unauthenticated", "HTTP/1.1 400 Bad Request"] {
            assert_eq!(stats.take(line.as_bytes()), Line::Other);
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
