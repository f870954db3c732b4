//! Every way a packet can end, by name, and what each name means.
//!
//! One list is the index of the per-CPU values in the kernel, the row in `stats`, the key in JSON and the entry in
//! `docs/counters.md`. Programs use positions and names; what a counter means costs them nothing.
//!
//! Long because: one list, of all counters with all that is known of them.

use core::fmt;

/// Bytes of a counter's name that is filled up with blanks.
pub const LABEL: usize = 24;

/// What it says of a mirror that a counter grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// All that there was. The others of the same unit are parts of it.
    Total,
    /// Done as it should be.
    Delivered,
    /// Should have been done, and was not.
    Lost,
    /// Left out, as it should be.
    Expected,
    /// How it was done; neither good nor bad.
    Internal,
}

impl Class {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::Total, Self::Delivered, Self::Lost, Self::Expected, Self::Internal];

    /// In output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Delivered => "delivered",
            Self::Lost => "lost",
            Self::Expected => "expected",
            Self::Internal => "internal",
        }
    }

    /// What it says, in a sentence.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Total => "All that there was.",
            Self::Delivered => "Done as it should be.",
            Self::Lost => "Should have been done, and was not.",
            Self::Expected => "Left out, as it should be.",
            Self::Internal => "How it was done; neither good nor bad.",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a counter adds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Packets as the kernel hands them on: several segments can be one (GRO, GSO).
    Packets,
    /// TCP segments and UDP datagrams, as they are on the wire.
    Segments,
    /// Packets made for one map.
    Copies,
    /// Bytes, from the IP header.
    Bytes,
    /// TCP connections.
    Connections,
    /// How often something happened.
    Times,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    /// In output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Segments => "segments",
            Self::Copies => "copies",
            Self::Bytes => "bytes",
            Self::Connections => "connections",
            Self::Times => "times",
            Self::Milliseconds => "ms",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known of a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meaning {
    /// Name in JSON and in tables.
    pub name: &'static str,
    /// What it says of a mirror that it grows.
    pub class: Class,
    /// What it adds up.
    pub unit: Unit,
    /// What it counts, in sentences.
    pub help: &'static str,
}

const fn label(name: &str) -> [u8; LABEL] {
    let (bytes, mut label, mut at) = (name.as_bytes(), [b' '; LABEL], 0);
    assert!(bytes.len() < LABEL, "names fit");
    while at < bytes.len() {
        label[at] = bytes[at];
        at += 1;
    }
    label
}

macro_rules! counters {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $($(#[doc = $help:literal])+ $variant:ident = $text:literal, $unit:ident, $class:ident;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum $name { $($(#[doc = $help])+ $variant,)+ }

        impl $name {
            /// All counters, in the order of their indexes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();
            /// What they count together, and the sums that hold.
            pub const ABOUT: &'static str = concat!($($about),+).trim_ascii();
            /// The names by index.
            pub const NAMES: [&'static str; Self::COUNT] = [$($text),+];
            /// The names by index, filled up with blanks.
            pub const LABELS: [[u8; LABEL]; Self::COUNT] = [$(label($text)),+];
            /// What they mean, by index.
            pub const MEANINGS: [Meaning; Self::COUNT] = [$(Meaning {
                name: $text,
                class: Class::$class,
                unit: Unit::$unit,
                help: concat!($($help),+).trim_ascii(),
            }),+];

            /// Name in JSON and in tables.
            pub const fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }

            /// What it means.
            pub const fn meaning(self) -> Meaning {
                Self::MEANINGS[self as usize]
            }

            /// What it says of a mirror that it grows.
            pub const fn class(self) -> Class {
                self.meaning().class
            }

            /// What it adds up.
            pub const fn unit(self) -> Unit {
                self.meaning().unit
            }

            /// What it counts, in sentences.
            pub const fn help(self) -> &'static str {
                self.meaning().help
            }
        }
    };
}

counters! {
    /// Packets at the source's interface: `seen = mirrored + dry_run + skipped_* + dropped_icmp + failed_*`.
    SourceCounter {
        /// Packets that arrived at the interface.
        Seen = "seen", Packets, Total;
        /// Packets that were copied, to one target or to several.
        Mirrored = "mirrored", Packets, Delivered;
        /// Packets that would have been copied without `--dry-run`.
        DryRun = "dry_run", Packets, Expected;
        /// Neither IPv4 nor IPv6.
        SkippedNotIp = "skipped_not_ip", Packets, Expected;
        /// Neither TCP nor UDP.
        SkippedProtocol = "skipped_protocol", Packets, Expected;
        /// To a port that is not mapped.
        SkippedPort = "skipped_port", Packets, Expected;
        /// To a mapped port, but no map is for this local address and IP version.
        SkippedAddress = "skipped_address", Packets, Expected;
        /// IP fragments, of whatever port: only the first says which, so that those to a mapped port are lost.
        SkippedFragment = "skipped_fragment", Packets, Expected;
        /// Copies that another mirror made, whatever its magic: hosts may mirror each other without a loop.
        SkippedSealed = "skipped_sealed", Packets, Expected;
        /// Packets of the mirror's own on their way through this host.
        SkippedOwn = "skipped_own", Packets, Expected;
        /// For a map, but with urgent data, which a sealed copy cannot carry.
        SkippedUrgent = "skipped_urgent", Packets, Lost;
        /// For a map, but with data of an MPTCP connection, or the SYN of a further subflow of one.
        SkippedMptcp = "skipped_mptcp", Packets, Lost;
        /// Packets of this agent's own `keys` and `compare`, which are not a client's.
        SkippedInspection = "skipped_inspection", Packets, Expected;
        /// For a map, but of a request of several UDP datagrams.
        SkippedUdpMulti = "skipped_udp_multi", Packets, Lost;
        /// For a map, but several UDP datagrams in one packet, which the kernel would cut after the copy is sealed.
        SkippedUdpSuper = "skipped_udp_super", Packets, Lost;
        /// For a map, but no socket of this host takes it: the port is closed, the connection does not exist or was closed
        /// here, or its server is in a container (`--forwarded`).
        SkippedNoSocket = "skipped_no_socket", Packets, Expected;
        /// For a map, but on its way to another host (`--forwarded`).
        SkippedForwarded = "skipped_forwarded", Packets, Expected;
        /// For a map, but acknowledgements of a part of what production sent: the new host makes its own.
        SkippedPartialAck = "skipped_partial_ack", Packets, Expected;
        /// ICMP errors about copies, from routers, which would have been passed on to clients: dropped.
        DroppedIcmp = "dropped_icmp", Packets, Expected;
        /// For a map, after the deadline (`--for`, `--until`).
        SkippedExpired = "skipped_expired", Packets, Expected;
        /// For a map, of clients that are not selected (`--client`, `--exclude-client`).
        SkippedClient = "skipped_client", Packets, Expected;
        /// For a map, of connections that are not in the sample (`--sample`).
        SkippedSample = "skipped_sample", Packets, Expected;
        /// For a map, of connections that the rate limits of all its targets exclude (`--rate-limit`).
        SkippedRateLimit = "skipped_rate_limit", Packets, Expected;
        /// Headers whose lengths are wrong, or that are cut short. No server reads such packets.
        FailedMalformed = "failed_malformed", Packets, Expected;
        /// The kernel could not clone the packet, or the copy device is gone.
        FailedClone = "failed_clone", Packets, Lost;
        /// Packets of somebody else at the copy device, which end there.
        CopyDeviceOther = "copy_device_other", Packets, Internal;
        /// Copies whose map was taken away while they were on their way through the copy device.
        Unmapped = "unmapped", Copies, Expected;
    }
}

counters! {
    /// Copies made for one map: `copies = sent + failed_* + unsent`, and `unsent_*` says why. What a dry run counts,
    /// `rate_limited` and `endpoint_conflict` are apart from these.
    MappingCounter {
        /// Copies made for this map.
        Copies = "copies", Copies, Total;
        /// Copies that were given to the interface by which they leave the host.
        Sent = "sent", Copies, Delivered;
        /// The same in TCP segments and UDP datagrams.
        SentSegments = "sent_segments", Segments, Delivered;
        /// The same in bytes, from the IP header.
        SentBytes = "sent_bytes", Bytes, Delivered;
        /// The kernel could not clone the copy for a further target.
        FailedClone = "failed_clone", Copies, Lost;
        /// The copy could not be rewritten, or cut in pieces.
        FailedRewrite = "failed_rewrite", Copies, Lost;
        /// Of `unsent`: this host has no route to the target, or one that refuses packets.
        UnsentNoRoute = "unsent_no_route", Copies, Internal;
        /// Of `unsent`: the next hop's link-layer address was not known. The kernel asks for it, and sends the last few of
        /// these copies if there is an answer.
        UnsentNextHop = "unsent_next_hop", Copies, Internal;
        /// Of `unsent`: larger than the path to the target takes, and not cut, as datagrams are not.
        UnsentTooLarge = "unsent_too_large", Copies, Internal;
        /// Packets of connections that the rate limit excluded (`--rate-limit`).
        RateLimited = "rate_limited", Packets, Expected;
        /// Extra copies that were not made, since another connection has their endpoint (`--multiply`).
        EndpointConflict = "endpoint_conflict", Copies, Lost;
        /// Copies that would have been made without `--dry-run`.
        DryRunCopies = "dry_run_copies", Copies, Expected;
        /// The same in TCP segments and UDP datagrams.
        DryRunSegments = "dry_run_segments", Segments, Expected;
        /// The same in bytes, from the IP header.
        DryRunBytes = "dry_run_bytes", Bytes, Expected;
    }
}

counters! {
    /// What the agent computes of one map.
    DerivedMapping {
        /// Copies that were made, and neither left nor failed: there is no route, the next hop does not answer, or
        /// they are too large for the path (`unsent_*`).
        Unsent = "unsent", Copies, Lost;
    }
}

counters! {
    /// Segments at the target: `arrived = applied + discarded_* + waiting`, and
    /// `held = released + waiting + discarded_hold_dropped`.
    TargetCounter {
        /// Sealed copies that arrived.
        Arrived = "arrived", Segments, Total;
        /// Copies given to memcached's TCP or UDP.
        Applied = "applied", Segments, Delivered;
        /// How often a segment went into the hold queue.
        Held = "held", Times, Internal;
        /// How often a segment left the hold queue.
        Released = "released", Times, Internal;
        /// Before the first request boundary of a connection that is older than the mirror, or that was
        /// desynchronised by a gap.
        DiscardedUnsynced = "discarded_unsynced", Segments, Lost;
        /// Acknowledgements without data: the target makes its own.
        DiscardedPureAck = "discarded_pure_ack", Segments, Expected;
        /// SYNs: they open nothing. The first data behind one opens the connection (`opened`).
        DiscardedSyn = "discarded_syn", Segments, Expected;
        /// Bytes that were applied before.
        DiscardedDuplicate = "discarded_duplicate", Segments, Expected;
        /// Of a connection that ended.
        DiscardedFinished = "discarded_finished", Segments, Expected;
        /// A blocked command, which changes a server and not its items: meant for the old host.
        DiscardedCommand = "discarded_command", Segments, Expected;
        /// Of a direct client's connection: it talks to this host itself.
        DiscardedDirectClient = "discarded_direct_client", Segments, Expected;
        /// A reset or FIN of a connection that the target never opened.
        DiscardedNoFlow = "discarded_no_flow", Segments, Expected;
        /// Of an MPTCP connection, which is not mirrored.
        DiscardedMptcp = "discarded_mptcp", Segments, Expected;
        /// Waited too long in the hold queue for the server's window or SYN-ACK, or for a missing segment.
        DiscardedHoldExpired = "discarded_hold_expired", Segments, Lost;
        /// Of a connection whose SYN this host's TCP did not answer for a second, or since answers left unseen.
        DiscardedUnanswered = "discarded_unanswered", Segments, Lost;
        /// Of a connection that is not opened, or is given up, or UDP: the client is this host itself, there is no way back to
        /// it, or the way back is by an interface without our program.
        DiscardedNoWayBack = "discarded_no_way_back", Segments, Lost;
        /// Of a connection whose client the new memcached does not know (`error_unauthenticated`), up to its end: who says so
        /// only once had said it before the mirror came.
        DiscardedUnauthenticated = "discarded_unknown_user", Segments, Lost;
        /// Left the hold queue after its connection had been given up.
        DiscardedStale = "discarded_stale", Segments, Lost;
        /// The table of connections is full (`--max-connections`), and none of the same IP version was idle for 10 s.
        DiscardedTableFull = "discarded_table_full", Segments, Lost;
        /// The kernel had no memory for another connection.
        DiscardedNoMemory = "discarded_no_memory", Segments, Lost;
        /// The kernel could not queue the packet for its second pass.
        DiscardedClone = "discarded_clone", Segments, Lost;
        /// The kernel could not change the packet as it had to be.
        DiscardedRewrite = "discarded_rewrite", Segments, Lost;
        /// Sealed, but with headers that make no sense.
        DiscardedMalformed = "discarded_malformed", Segments, Lost;
        /// For a port that is not served here (`drop --port`).
        DiscardedPort = "discarded_port", Segments, Lost;
        /// From a MAC address that is not allowed (`drop --source-mac`).
        DiscardedSourceMac = "discarded_source_mac", Segments, Lost;
        /// Sealed like a copy, but with another magic: both hosts need the same `--magic`. Not among `arrived`; the
        /// kernel is left to drop it.
        ArrivedOtherMagic = "arrived_other_magic", Segments, Lost;
        /// Connections that were opened from their first data on, behind a copied SYN.
        Opened = "opened", Connections, Delivered;
        /// Connections that are older than the mirror, or were desynchronised, and were adopted at a request boundary.
        Adopted = "adopted", Connections, Delivered;
        /// Of `applied`, segments that memcached did not read: what was missing before them did not come, and their
        /// connection was given up.
        Withdrawn = "withdrawn", Segments, Lost;
        /// Connections that were desynchronised by a gap or a long wait. The segments that this costs are in
        /// `discarded_*` and `withdrawn`.
        Desynced = "desynced", Connections, Internal;
        /// Sockets of mirrored connections that were reset.
        Reset = "reset", Connections, Internal;
        /// Connections that ended.
        Closed = "closed", Connections, Internal;
        /// Idle connections that were ended since the table was full; they are adopted again when they speak.
        Evicted = "evicted", Connections, Internal;
        /// Answers of this host that a client of production got and refused: they left by an interface without our program. No
        /// connection is open from then on; `drop` again covers interfaces that came later.
        ReplyLeaked = "reply_leaked", Packets, Lost;
        /// Replies of the new memcached that begin with an error: it has as many connections as it may have (`-c`).
        ErrorTooManyClients = "error_too_many_clients", Packets, Lost;
        /// The same: the client has not authenticated, as its connection is older than the mirror, or the user is unknown.
        ErrorUnauthenticated = "error_unauthenticated", Packets, Lost;
        /// The same: there is no memory for the item.
        ErrorOutOfMemory = "error_out_of_memory", Packets, Lost;
        /// The same: a value does not end where its request said.
        ErrorBadChunk = "error_bad_chunk", Packets, Lost;
        /// The same: the item is larger than memcached takes (`-I`). The old one may say so, too.
        ErrorTooLarge = "error_too_large", Packets, Expected;
        /// The same: anything else. The old one may say so, too.
        ErrorOther = "error_other", Packets, Expected;
        /// Connections that a direct client took over.
        DirectTakeover = "direct_takeover", Connections, Internal;
        /// Packets of direct clients to a served port, untouched; of those in IP fragments, the first.
        DirectIn = "direct_in", Packets, Expected;
        /// Replies to direct clients, and ICMP errors about what they sent, untouched; of those in IP fragments,
        /// the first.
        DirectOut = "direct_out", Packets, Expected;
        /// Packets of this agent's own `keys` and `compare`, untouched, instead of in `direct_in`.
        InspectionIn = "inspection_in", Packets, Expected;
        /// Replies to these, and to clients of the same ports (61440 to 61503), untouched, instead of in `direct_out`.
        InspectionOut = "inspection_out", Packets, Expected;
        /// Replies that were turned into acknowledgements, as if their client had sent them.
        AckedForClient = "acked_for_client", Packets, Internal;
        /// Replies dropped: data or FIN, which the next copy acknowledges.
        ReplyData = "reply_dropped_data", Packets, Expected;
        /// Replies dropped: acknowledgements without data.
        ReplyAck = "reply_dropped_ack", Packets, Expected;
        /// Replies dropped: resets.
        ReplyReset = "reply_dropped_reset", Packets, Expected;
        /// Replies dropped: UDP.
        ReplyUdp = "reply_dropped_udp", Packets, Expected;
        /// Replies dropped: in IP fragments, TCP or UDP; in fragments.
        ReplyFragment = "reply_dropped_fragment", Packets, Expected;
        /// ICMP errors about copies, dropped, as where memcached runs without UDP or a firewall rejects: they would
        /// have gone to the copies' clients.
        ReplyIcmp = "reply_dropped_icmp", Packets, Expected;
        /// Replies dropped: of connections that ended.
        ReplyFinished = "reply_dropped_finished", Packets, Expected;
        /// Replies dropped: headers that could not be read or turned round.
        ReplyMalformed = "reply_dropped_malformed", Packets, Expected;
        /// Packets at ingress that are neither copies nor for a served port, and further fragments, untouched.
        IngressOther = "ingress_other", Packets, Internal;
        /// Packets at egress that are not from a served port, and further fragments, untouched.
        EgressOther = "egress_other", Packets, Internal;
        /// Acknowledgements for a client that were given to TCP.
        AckInjected = "ack_injected", Packets, Internal;
        /// Segments made for an adoption or a reset and given to TCP.
        SegmentInjected = "segment_injected", Packets, Internal;
    }
}

counters! {
    /// What the agent computes of a target. `waiting` and `longest_wait_ms` say how things are now, and go up and down.
    DerivedTarget {
        /// Segments that wait in the hold queue right now. Those that it dropped are among them until nothing has
        /// gone in for 5 s.
        Waiting = "waiting", Segments, Internal;
        /// For how long the oldest of them has waited.
        LongestWait = "longest_wait_ms", Milliseconds, Internal;
        /// The hold queue was full.
        HoldDropped = "discarded_hold_dropped", Segments, Lost;
    }
}

counters! {
    /// Packets at a guard's interface: `seen = passed + dropped_*`.
    GuardCounter {
        /// Packets that arrived at the interface.
        Seen = "seen", Packets, Total;
        /// Packets that are not a guarded server's, untouched.
        Passed = "passed", Packets, Expected;
        /// TCP segments of a guarded server, but for resets.
        DroppedTcp = "dropped_tcp", Packets, Delivered;
        /// TCP resets of a guarded server.
        DroppedReset = "dropped_tcp_reset", Packets, Delivered;
        /// UDP datagrams of a guarded server.
        DroppedUdp = "dropped_udp", Packets, Delivered;
        /// First IP fragments of a guarded server. Those that follow pass, and are of no use without the first.
        DroppedFragment = "dropped_fragment", Packets, Delivered;
        /// ICMP errors about packets to a guarded server.
        DroppedIcmp = "dropped_icmp", Packets, Delivered;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    /// The names of a class, joined.
    fn of_class(meanings: &[&[Meaning]], class: Class) -> Vec<&'static str> {
        let all = meanings.iter().flat_map(|some| some.iter());
        all.filter(|meaning| meaning.class == class).map(|meaning| meaning.name).collect()
    }

    #[test]
    fn indexes_are_positions_and_names_are_unique() {
        for (position, counter) in TargetCounter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, position);
            let same = TargetCounter::ALL.iter().filter(|other| other.name() == counter.name());
            assert_eq!(same.count(), 1, "{}", counter.name());
        }
        for (position, counter) in SourceCounter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, position);
        }
    }

    /// An operator acts upon these. A change here is a change of what "lost" means.
    #[test]
    fn losses_are_these() {
        assert_eq!(
            of_class(&[&TargetCounter::MEANINGS, &DerivedTarget::MEANINGS], Class::Lost),
            [
                "discarded_unsynced",
                "discarded_hold_expired",
                "discarded_unanswered",
                "discarded_no_way_back",
                "discarded_unknown_user",
                "discarded_stale",
                "discarded_table_full",
                "discarded_no_memory",
                "discarded_clone",
                "discarded_rewrite",
                "discarded_malformed",
                "discarded_port",
                "discarded_source_mac",
                "arrived_other_magic",
                "withdrawn",
                "reply_leaked",
                "error_too_many_clients",
                "error_unauthenticated",
                "error_out_of_memory",
                "error_bad_chunk",
                "discarded_hold_dropped",
            ]
        );
        assert_eq!(
            of_class(&[&SourceCounter::MEANINGS], Class::Lost),
            [
                "skipped_urgent",
                "skipped_mptcp",
                "skipped_udp_multi",
                "skipped_udp_super",
                "failed_clone"
            ]
        );
        assert_eq!(
            of_class(&[&MappingCounter::MEANINGS, &DerivedMapping::MEANINGS], Class::Lost),
            ["failed_clone", "failed_rewrite", "endpoint_conflict", "unsent"]
        );
        assert!(of_class(&[&GuardCounter::MEANINGS], Class::Lost).is_empty());
    }

    #[test]
    fn each_is_explained_in_sentences() {
        let all = [
            &SourceCounter::MEANINGS[..],
            &MappingCounter::MEANINGS,
            &DerivedMapping::MEANINGS,
            &TargetCounter::MEANINGS,
            &DerivedTarget::MEANINGS,
            &GuardCounter::MEANINGS,
        ];
        for meaning in all.into_iter().flatten() {
            assert!(meaning.help.ends_with('.'), "{}: {}", meaning.name, meaning.help);
        }
    }
}
