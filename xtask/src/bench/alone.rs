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
    report::{Cell, Report, median},
    side::Side,
    site::{NEW, OTHER_PORT, Site},
    statistics,
};
use crate::interrupt::Interrupt;

const REPEAT: u32 = 1_000_000;
const TIMES: usize = 7;

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
    let _running = Side::One.start(site);
    let ingress = statistics::program(old, "source_ingress")?;
    add(old, "source_ingress", ingress, "TCP of another port", &request)?;
    add(
        old,
        "source_ingress",
        ingress,
        "UDP of another port",
        &frame(Protocol::Udp, client, OTHER_PORT),
    )?;
    add(old, "source_ingress", ingress, "not IP", &arp())?;
    let egress = statistics::program(old, "source_egress")?;
    add(old, "source_egress", egress, "not a copy", &reply)?;
    let ingress = statistics::program(new, "target_ingress")?;
    add(new, "target_ingress", ingress, "TCP of another port", &request)?;
    add(new, "target_ingress", ingress, "of a real client", &frame(Protocol::Tcp, client, PORT))?;
    let egress = statistics::program(new, "target_egress")?;
    add(new, "target_egress", egress, "TCP of another port", &reply)?;
    add(new, "target_egress", egress, "to a real client", &frame(Protocol::Tcp, PORT, client))?;
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
