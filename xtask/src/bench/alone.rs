//! Each program by itself: the kernel runs it on a packet of ours, over and over, without a clock around
//! each run (`BPF_PROG_TEST_RUN`). Only for packets that it lets pass: others the first run would use up.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use mirror_tests::{
    Host,
    bpf::Program,
    craft::{ACK, MACS, PSH, Packet, Segment},
    foreign,
    mirror::PORT,
};

use super::{
    load::stay_on,
    report::{Cell, Report},
    side::Side,
    site::{NEW, OTHER_PORT, Site},
    spread::median,
    statistics,
};
use crate::interrupt::Interrupt;

const REPEAT: u32 = 1_000_000;
const TIMES: usize = 5;

#[derive(Clone, Copy)]
enum Protocol {
    Tcp,
    Udp,
}

pub(crate) fn measure(site: &Site, interrupt: &Interrupt, report: &mut Report) -> Result<()> {
    let client = 45_678;
    let request = frame(Protocol::Tcp, client, OTHER_PORT);
    let reply = frame(Protocol::Tcp, OTHER_PORT, client);
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
    let others = statistics::attached(old)?;
    let _running = Side::One.start(site)?;
    let udp = frame(Protocol::Udp, client, OTHER_PORT);
    let [from_client, to_client] =
        [(client, PORT), (PORT, client)].map(|(from, to)| frame(Protocol::Tcp, from, to));
    for (name, host) in [("old", old), ("new", new)] {
        let programs = statistics::loaded(host)?;
        for program in programs.iter().filter(|program| !others.contains(&program.id)) {
            let title = format!("{name}: {}", program.title());
            let mut add = |packets, frame: &[u8]| add(host, &title, program.id, packets, frame);
            if program.sees_arrivals() {
                add("TCP to another port", &request)?;
                add("UDP to another port", &udp)?;
                add("not IP", &arp())?;
            } else {
                add("TCP from another port", &reply)?;
            }
            // The old host's would copy the former, which is what the other tables are for.
            match (name, program.sees_arrivals()) {
                ("new", true) => add("of a direct client", &from_client)?,
                (_, true) => {}
                (_, false) => add("a reply of memcached", &to_client)?,
            }
        }
    }
    report.table(
        "Time in programs by themselves",
        &format!(
            "ns for each packet that is not a copy, without and with the loop that tests it ({REPEAT} times; \
             median of {TIMES}). Caches are warm.\nGoals: 30 for what arrives on the old host, 20 for all \
             else."
        ),
        &["program", "packets", "ns", "with\nloop"],
        &rows,
    );
    Ok(())
}

/// Nanoseconds for each run.
fn run(host: &Host, id: u64, frame: &[u8]) -> Result<f64> {
    let program = Program::by_id(id);
    let each = host.run(|| -> Result<u32> {
        stay_on(NEW)?;
        program.time(frame, REPEAT).context("the kernel does not run the program")
    })?;
    Ok(f64::from(each))
}

/// TCP or UDP with some data.
fn frame(protocol: Protocol, from: u16, to: u16) -> Vec<u8> {
    let [from, to] = [([10, 77, 0, 1], from), ([10, 77, 0, 2], to)].map(SocketAddr::from);
    let payload = [b'd'; 100];
    let packet = match protocol {
        Protocol::Udp => Packet::udp(from, to, &payload),
        Protocol::Tcp => {
            let segment = Segment {
                seq: 1,
                ack: 1,
                flags: ACK | PSH,
                window: u16::MAX,
                payload: payload.to_vec(),
                ..Segment::default()
            };
            Packet::tcp(from, to, segment)
        }
    };
    packet.bytes()
}

/// An ARP request.
fn arp() -> Vec<u8> {
    let mut frame = MACS.to_vec();
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.resize(60, 0);
    frame
}
