//! Each program by itself: the kernel runs it on a packet of ours, over and over, without a clock around
//! each run (`BPF_PROG_TEST_RUN`). Only for packets that it lets pass: others the first run would use up.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use mirror_tests::{Host, foreign, mirror::PORT};
use serde_json::Value;

use super::{
    report::{Cell, Report, median},
    side::Side,
    site::{NEW, OTHER_PORT, Site},
    statistics,
};
use crate::interrupt::Interrupt;

const REPEAT: u32 = 1_000_000;
const TIMES: usize = 7;

pub(crate) fn measure(site: &Site, interrupt: &Interrupt, report: &mut Report) -> Result<()> {
    let client = 45_678;
    let request = frame(TCP, client, OTHER_PORT);
    let reply = frame(TCP, OTHER_PORT, client);
    let mut rows = Vec::new();
    // The first program's: what the loop takes.
    let mut base = None;
    let mut add = |host: &Host, program: &str, id: u64, packets: &str, frame: &[u8]| {
        interrupt.check()?;
        eprintln!("programs by themselves: {program}, {packets}");
        let values = (0..TIMES).map(|_| run(host, id, frame)).collect::<Result<Vec<_>>>()?;
        let loop_alone = *base.get_or_insert(median(&values));
        rows.push(vec![
            Cell::text(program),
            Cell::text(packets),
            Cell::Number(median(&values) - loop_alone, 0),
            Cell::Median(values, 0),
        ]);
        Ok::<_, anyhow::Error>(())
    };

    let (old, new) = (&site.old, &site.new[0]);
    let (nothing, counter) = (foreign::Nothing::tc(), foreign::Counter::tcx_ingress(old));
    add(old, "one that does nothing", nothing.id(), "any", &request)?;
    add(old, "one that only counts", counter.id(), "any", &request)?;
    let _running = Side::One.start(site);
    let ingress = statistics::program(old, "source_ingress")?;
    add(old, "source_ingress", ingress, "TCP of another port", &request)?;
    add(old, "source_ingress", ingress, "UDP of another port", &frame(UDP, client, OTHER_PORT))?;
    add(old, "source_ingress", ingress, "not IP", &arp())?;
    let egress = statistics::program(old, "source_egress")?;
    add(old, "source_egress", egress, "not a copy", &reply)?;
    let ingress = statistics::program(new, "target_ingress")?;
    add(new, "target_ingress", ingress, "TCP of another port", &request)?;
    add(new, "target_ingress", ingress, "of a real client", &frame(TCP, client, PORT))?;
    let egress = statistics::program(new, "target_egress")?;
    add(new, "target_egress", egress, "TCP of another port", &reply)?;
    add(new, "target_egress", egress, "to a real client", &frame(TCP, PORT, client))?;
    report.table(
        "Time in programs by themselves",
        &format!(
            "ns for each packet, without and with the loop that tests it ({REPEAT} times; median of \
             {TIMES}). Caches are warm.\nGoals: source_ingress for packets that are not ours 30, \
             source_egress for what is not a copy 20."
        ),
        &["program", "packets", "ns", "with\nloop"],
        &rows,
    );
    Ok(())
}

/// Nanoseconds for each run.
fn run(host: &Host, id: u64, frame: &[u8]) -> Result<f64> {
    let file = File::with(frame)?;
    let (cpu, id, repeat) = (NEW.to_string(), id.to_string(), REPEAT.to_string());
    let path = file.0.display().to_string();
    let arguments = ["-c", &cpu, "bpftool", "-j", "prog", "run", "id", &id];
    let text =
        host.output("taskset", &[&arguments[..], &["data_in", &path, "repeat", &repeat]].concat());
    let found: Value = serde_json::from_str(&text).context("bpftool prints JSON")?;
    found["duration"].as_f64().context("bpftool says how long a run took")
}

/// A packet for `bpftool`, gone when dropped.
struct File(PathBuf);

impl File {
    fn with(bytes: &[u8]) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("bench-{}.bin", std::process::id()));
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const ETHERNET: usize = 14;

/// Ethernet, IPv4 without options, TCP or UDP with some data. Nobody looks at the checksums.
fn frame(protocol: u8, from: u16, to: u16) -> Vec<u8> {
    const DATA: u16 = 100;
    let header: u16 = if protocol == TCP { 20 } else { 8 };
    let mut frame = vec![2; ETHERNET - 2];
    frame.extend([8, 0]);
    frame.extend([0x45, 0]);
    frame.extend((20 + header + DATA).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    frame.extend([10, 77, 0, 1, 10, 77, 0, 2]);
    frame.extend(from.to_be_bytes());
    frame.extend(to.to_be_bytes());
    if protocol == TCP {
        // Sequence numbers, 20 bytes of header, ACK and PSH, a window, no checksum, nothing urgent.
        frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    } else {
        frame.extend((header + DATA).to_be_bytes());
        frame.extend([0, 0]);
    }
    frame.extend([b'd'; DATA as usize]);
    frame
}

/// An ARP request.
fn arp() -> Vec<u8> {
    let mut frame = vec![2; ETHERNET - 2];
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.resize(60, 0);
    frame
}
