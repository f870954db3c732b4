//! Sources that do not mirror everything.

use std::{collections::BTreeSet, thread::sleep, time::Duration};

use mirror_tests::{craft::Packet, rate_state};

use crate::{
    place::{client, v4, v6},
    several,
    source::{FAN, PORT, Source, requests},
    source_ingress::not_copied,
    table::{Fate, Table},
};

const ETHERNET: usize = 14;

/// A source for each reason to leave a request out. Returns which counters moved.
pub(crate) fn fill() -> BTreeSet<String> {
    let mut moved = BTreeSet::new();
    let mut with = |options: &str, rows: fn(&Source, &mut Table<'_>)| {
        moved.extend(Source::new(options).fill(&[rows]));
    };
    with("--client 198.51.100.0/24 --exclude-client 198.51.100.8/31", clients);
    // One connection in a million is chosen.
    with("--sample 0.0001%", |source, table| left_out(source, table, "skipped_sample"));
    with("--for 1s", over);
    with("--dry-run", dry_run);
    with("--multiply 2", several::rows);
    with("--rate-limit 1pps", limited);
    with("--rate-limit 1pps --dry-run", limited_dry_run);
    moved
}

/// Requests of both protocols to a mapped port, of either family.
fn packets() -> Vec<Packet> {
    let servers = [v4(PORT), v6(PORT)];
    let packets = |server| requests().map(|body| Packet::new(client(server), server, body));
    servers.into_iter().flat_map(packets).collect()
}

fn left_out(source: &Source, table: &mut Table<'_>, reason: &str) {
    for packet in packets() {
        not_copied(source, table, reason, packet.bytes(), reason);
    }
}

/// The longer prefix wins; there is no other family among those wanted.
fn clients(source: &Source, table: &mut Table<'_>) {
    left_out(source, table, "skipped_client");
}

/// The kernel looks at its clock.
fn over(source: &Source, table: &mut Table<'_>) {
    sleep(Duration::from_millis(1100));
    left_out(source, table, "skipped_expired");
}

/// All is counted, and nothing sent.
fn dry_run(source: &Source, table: &mut Table<'_>) {
    for packet in packets() {
        let map = Source::map_of(&packet);
        let bytes = Source::copy(&packet, map).bytes().len() - ETHERNET;
        let counts = format!(
            "seen dry_run map{map}:dry_run_copies map{map}:dry_run_segments map{map}:dry_run_bytes={bytes}"
        );
        table.row("a dry run", &source.ingress, packet.bytes(), &Fate::Passes, &counts);
    }
}

/// What no target takes any more; the others of a port with several are asked, too.
fn limited(source: &Source, table: &mut Table<'_>) {
    rate_state::shed_all(&source.place.host);
    for packet in packets() {
        let reason = format!("skipped_rate_limit map{}:rate_limited", Source::map_of(&packet));
        not_copied(source, table, "a limit", packet.bytes(), &reason);
    }
    let fan = Packet::new(client(v4(FAN)), v4(FAN), requests()[0].clone());
    not_copied(
        source,
        table,
        "two limits",
        fan.bytes(),
        "skipped_rate_limit map3:rate_limited map4:rate_limited",
    );
}

fn limited_dry_run(source: &Source, table: &mut Table<'_>) {
    rate_state::shed_all(&source.place.host);
    for packet in packets() {
        let counts = format!("seen dry_run map{}:rate_limited", Source::map_of(&packet));
        table.row("a dry run", &source.ingress, packet.bytes(), &Fate::Passes, &counts);
    }
}
