//! Every way a packet can end, by name.
//!
//! One list is the index of the per-CPU values in the kernel, the row in `stats` and the key in JSON.

/// Bytes of a counter's name that is filled up with blanks.
pub const LABEL: usize = 24;

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
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $help:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum $name { $($(#[doc = $help])+ $variant,)+ }

        impl $name {
            /// All counters, in the order of their indexes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// Name in JSON and in tables.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The names by index.
            pub const NAMES: [&'static str; Self::COUNT] = [$($text),+];

            /// The names by index, filled up with blanks.
            pub const LABELS: [[u8; LABEL]; Self::COUNT] = [$(label($text)),+];

            /// What it counts, in a sentence.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($help),+),)+ }
            }
        }
    };
}

counters! {
    /// Packets at the source's interface: `seen = mirrored + dry_run + skipped_* + failed_*`.
    SourceCounter {
        /// Packets that arrived at the interface.
        Seen = "seen",
        /// Packets that were copied, to one target or to several.
        Mirrored = "mirrored",
        /// Packets that would have been copied, were it not for `--dry-run`.
        DryRun = "dry_run",
        /// Neither IPv4 nor IPv6.
        SkippedNotIp = "skipped_not_ip",
        /// Neither TCP nor UDP.
        SkippedProtocol = "skipped_protocol",
        /// To a port that is not mapped.
        SkippedPort = "skipped_port",
        /// To a mapped port, but no mapping is for this local address and family.
        SkippedAddress = "skipped_address",
        /// IP fragments.
        SkippedFragment = "skipped_fragment",
        /// Copies that another mirror made, whatever its magic.
        SkippedSealed = "skipped_sealed",
        /// Packets of the mirror's own on their way through this host.
        SkippedOwn = "skipped_own",
        /// Segments with urgent data, which a sealed copy cannot carry.
        SkippedUrgent = "skipped_urgent",
        /// Segments with data of MPTCP connections, and SYNs of their further subflows.
        SkippedMptcp = "skipped_mptcp",
        /// Segments of this agent's own `keys` and `compare`, which are no client's.
        SkippedInspection = "skipped_inspection",
        /// Requests of several UDP datagrams.
        SkippedUdpMulti = "skipped_udp_multi",
        /// Several UDP datagrams in one packet, which the kernel would cut after the copy is sealed.
        SkippedUdpSuper = "skipped_udp_super",
        /// For a map, when the time of `--for` or `--until` was over.
        SkippedExpired = "skipped_expired",
        /// For a map, of clients that are not wanted.
        SkippedClient = "skipped_client",
        /// For a map, of connections that are not in the sample.
        SkippedSample = "skipped_sample",
        /// For a map, of connections that the rate limits of all its targets shed.
        SkippedRateLimit = "skipped_rate_limit",
        /// Headers that lie about their length, or are cut short.
        FailedMalformed = "failed_malformed",
        /// The kernel could not clone the packet, or the interface's egress refused the clone.
        FailedClone = "failed_clone",
        /// Packets of others that left by the interface, untouched.
        EgressOther = "egress_other",
        /// Copies that no mapping claimed any more at egress.
        EgressUnmapped = "egress_unmapped",
    }
}

counters! {
    /// Copies by mapping: `copies = sent + failed_* + unsent`. What a dry run counts is apart from these.
    MappingCounter {
        /// Copies made for this mapping.
        Copies = "copies",
        /// Copies that left the host.
        Sent = "sent",
        /// The same in TCP segments and UDP datagrams as they are on the wire.
        SentSegments = "sent_segments",
        /// The same in bytes, from the IP header.
        SentBytes = "sent_bytes",
        /// The kernel could not clone the copy for a further target.
        FailedClone = "failed_clone",
        /// The copy could not be rewritten.
        FailedRewrite = "failed_rewrite",
        /// Packets of connections that the rate limit shed.
        RateLimited = "rate_limited",
        /// Further copies of a connection that were not made, since their client's end is another's.
        EndpointConflict = "endpoint_conflict",
        /// Copies that would have been made, were it not for `--dry-run`.
        DryRunCopies = "dry_run_copies",
        /// The same in TCP segments and UDP datagrams as they would have been on the wire.
        DryRunSegments = "dry_run_segments",
        /// The same in bytes, from the IP header.
        DryRunBytes = "dry_run_bytes",
    }
}

counters! {
    /// Segments at the target: `arrived = applied + discarded_*`, and `held - released`, which are in the
    /// hold device right now or were dropped there.
    TargetCounter {
        /// Sealed copies that arrived, in segments.
        Arrived = "arrived",
        /// Copies given to memcached's host stack, in segments.
        Applied = "applied",
        /// Times that a segment was sent into the hold device.
        Held = "held",
        /// Times that a segment came back from it.
        Released = "released",
        /// Before the first proven request boundary of a connection that is older than the mirror, or
        /// whose stream had a hole.
        DiscardedUnsynced = "discarded_unsynced",
        /// A pure acknowledgement: the puppet makes its own.
        DiscardedPureAck = "discarded_pure_ack",
        /// Bytes that were delivered before.
        DiscardedDuplicate = "discarded_duplicate",
        /// Of a flow that ended.
        DiscardedFinished = "discarded_finished",
        /// A command that changes a server and not its items: meant for the old host.
        DiscardedCommand = "discarded_command",
        /// Of a 4-tuple on which a real client talks to this host.
        DiscardedDirectClient = "discarded_direct_client",
        /// A reset or FIN of a connection that the target never opened.
        DiscardedNoFlow = "discarded_no_flow",
        /// Of an MPTCP connection that is not open here.
        DiscardedMptcp = "discarded_mptcp",
        /// Waited for too long: the target's window, SYN-ACK or a missing segment did not come.
        DiscardedHoldExpired = "discarded_hold_expired",
        /// Came back from the hold device after its flow had been given up.
        DiscardedStale = "discarded_stale",
        /// The flow table is full.
        DiscardedTableFull = "discarded_table_full",
        /// The packet could not be queued for its second pass.
        DiscardedClone = "discarded_clone",
        /// The packet could not be changed as it had to be.
        DiscardedRewrite = "discarded_rewrite",
        /// Sealed, but with headers that make no sense.
        DiscardedMalformed = "discarded_malformed",
        /// A sealed copy for a port that is not served here.
        DiscardedPort = "discarded_port",
        /// A sealed copy from a link-layer address that may not feed copies.
        DiscardedSourceMac = "discarded_source_mac",
        /// Connections opened by a copied SYN.
        Opened = "opened",
        /// Connections that are older than the mirror and were adopted.
        Adopted = "adopted",
        /// Of `applied`, segments that memcached did not read: what was missing before them did not come, and their
        /// connection was given up.
        Withdrawn = "withdrawn",
        /// Flows that were broken by a lost segment or by waiting.
        Desynced = "desynced",
        /// Sockets of the puppet that were reset.
        Reset = "reset",
        /// Flows that ended.
        Closed = "closed",
        /// Idle flows that were ended to make room in a full table.
        Evicted = "evicted",
        /// 4-tuples that a real client took over.
        DirectTakeover = "direct_takeover",
        /// Packets of real clients to a served port, untouched; of those in IP fragments, the first.
        DirectIn = "direct_in",
        /// Replies to real clients, and ICMP errors about what they sent, untouched; of those in IP fragments,
        /// the first.
        DirectOut = "direct_out",
        /// Segments of this agent's own `keys` and `compare`, untouched, instead of in `direct_in`.
        InspectionIn = "inspection_in",
        /// Replies to these, and to clients of the same ports (61440 to 61503), untouched, instead of in `direct_out`.
        InspectionOut = "inspection_out",
        /// Replies turned round into acknowledgements.
        AckedForClient = "acked_for_client",
        /// Replies dropped: data or FIN whose acknowledgement the next copy carries.
        ReplyData = "reply_dropped_data",
        /// Replies dropped: pure acknowledgements.
        ReplyAck = "reply_dropped_ack",
        /// Replies dropped: resets.
        ReplyReset = "reply_dropped_reset",
        /// Replies dropped: UDP.
        ReplyUdp = "reply_dropped_udp",
        /// Replies dropped: in IP fragments, TCP or UDP.
        ReplyFragment = "reply_dropped_fragment",
        /// ICMP errors about copies, dropped: they would have gone to the copies' clients.
        ReplyIcmp = "reply_dropped_icmp",
        /// Replies dropped: of flows that ended.
        ReplyFinished = "reply_dropped_finished",
        /// Replies dropped: headers that could not be read or turned round.
        ReplyMalformed = "reply_dropped_malformed",
        /// Packets at ingress that are neither copies nor for a served port, and further fragments, untouched.
        IngressOther = "ingress_other",
        /// Packets at egress that are not from a served port, and further fragments, untouched.
        EgressOther = "egress_other",
        /// Reflected acknowledgements given to the stack.
        AckInjected = "ack_injected",
        /// Segments made for an adoption or a reset and given to the stack.
        SegmentInjected = "segment_injected",
    }
}

counters! {
    /// Packets at a guard's interface: `seen = passed + dropped_*`.
    GuardCounter {
        /// Packets that arrived at the interface.
        Seen = "seen",
        /// Those that the guard has nothing against, untouched.
        Passed = "passed",
        /// TCP segments of a guarded sender, but for resets.
        DroppedTcp = "dropped_tcp",
        /// TCP resets of a guarded sender.
        DroppedReset = "dropped_tcp_reset",
        /// Datagrams of a guarded sender.
        DroppedUdp = "dropped_udp",
        /// First IP fragments of a guarded sender; what follows them passes, and is of no use.
        DroppedFragment = "dropped_fragment",
        /// ICMP errors about packets to a guarded sender.
        DroppedIcmp = "dropped_icmp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
