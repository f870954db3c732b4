//! Programs of somebody else at `eth0`.

use crate::{
    Host,
    bpf::{Assembler, Hook, Link, Map, Program, TCX_DROP, TCX_NEXT, TCX_PASS, XDP_PASS},
};

/// One program that counts. Gone when dropped.
#[derive(Debug)]
pub struct Counter {
    /// Which hook, for messages.
    pub hook: &'static str,
    map: Map,
    program: Program,
    _link: Link,
}

impl Counter {
    /// Counts what arrives.
    pub fn tcx_ingress(host: &Host) -> Self {
        Self::new(host, "tcx ingress", Hook::TcxIngress, TCX_NEXT)
    }

    /// Counts what leaves.
    pub fn tcx_egress(host: &Host) -> Self {
        Self::new(host, "tcx egress", Hook::TcxEgress, TCX_NEXT)
    }

    /// Counts what arrives, before the stack has it.
    pub fn xdp(host: &Host) -> Self {
        Self::new(host, "XDP", Hook::Xdp, XDP_PASS)
    }

    /// The kernel's number for the program.
    pub fn id(&self) -> u64 {
        self.program.id()
    }

    /// How many packets there were.
    pub fn read(&self) -> u64 {
        self.map.read(0)
    }

    fn new(host: &Host, name: &'static str, hook: Hook, verdict: i32) -> Self {
        let map = Map::new(1);
        let mut code = Assembler::default();
        code.count(&map, 0);
        code.end(verdict);
        let program = Program::load(hook, &code);
        let link = program.attach(hook, host, "eth0");
        Self { hook: name, map, program, _link: link }
    }
}

/// An XDP program by a name that libxdp gives to its dispatcher. Gone when dropped.
#[derive(Debug)]
pub struct Dispatcher {
    _link: Link,
}

impl Dispatcher {
    /// At `eth0`.
    pub fn xdp(host: &Host) -> Self {
        let mut code = Assembler::default();
        code.end(XDP_PASS);
        let program = Program::load_named(Hook::Xdp, &code, "xdp_dispatcher");
        Self { _link: program.attach(Hook::Xdp, host, "eth0") }
    }
}

/// A program that drops all. Gone when dropped.
#[derive(Debug)]
pub struct Refusing {
    _link: Link,
}

impl Refusing {
    /// All that arrives at `eth0`, behind everybody else.
    pub fn behind_tcx_ingress(host: &Host) -> Self {
        let hook = Hook::TcxIngress;
        Self { _link: verdict(hook, TCX_DROP).attach(hook, host, "eth0") }
    }
}

/// Somebody else's verdict at `eth0` that is final, as of most filters: the packet goes on, and whoever is behind is
/// not asked. Where nothing else is said, theirs comes before ours.
///
/// ```text
///   tcx                              clsact
///   ──▶ theirs: pass ──────────▶     ──▶ prio 1, theirs: ok ──────────▶
///       ours                             prio 7, ours
/// ```
///
/// By tcx, it is gone when dropped.
#[derive(Debug)]
pub struct Final {
    _link: Option<Link>,
}

impl Final {
    /// A program before those that are there, about what arrives.
    pub fn tcx_ingress(host: &Host) -> Self {
        Self::tcx(host, Hook::TcxIngress)
    }

    /// The same about what leaves.
    pub fn tcx_egress(host: &Host) -> Self {
        Self::tcx(host, Hook::TcxEgress)
    }

    /// A filter of the first priority, about what leaves.
    pub fn clsact_egress(host: &Host) -> Self {
        host.shell("tc qdisc show dev eth0 | grep -q clsact || tc qdisc add dev eth0 clsact");
        // Without an action, what a filter matches is let through.
        let all = "bpf bytecode '1,6 0 0 4294967295' flowid 1:1";
        host.shell(&format!("tc filter add dev eth0 egress prio 1 {all}"));
        Self { _link: None }
    }

    /// Programs behind those that are there, about what arrives and what leaves.
    pub fn behind(host: &Host) -> [Self; 2] {
        [Hook::TcxIngress, Hook::TcxEgress]
            .map(|hook| Self { _link: Some(verdict(hook, TCX_PASS).attach(hook, host, "eth0")) })
    }

    fn tcx(host: &Host, hook: Hook) -> Self {
        Self { _link: Some(verdict(hook, TCX_PASS).attach_first(hook, host, "eth0")) }
    }
}

/// Where a program of somebody else's is: at which hook of an interface, and before or behind all that are there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// About what leaves, and not what arrives.
    pub leaving: bool,
    /// Before all others.
    pub first: bool,
}

impl Place {
    /// Each of them.
    pub const ALL: [Self; 4] = [
        Self { leaving: false, first: true },
        Self { leaving: false, first: false },
        Self { leaving: true, first: true },
        Self { leaving: true, first: false },
    ];

    fn direction(self) -> &'static str {
        if self.leaving { "egress" } else { "ingress" }
    }

    fn preference(self) -> u16 {
        if self.first { 1 } else { 60_000 }
    }
}

/// A final verdict of somebody else's at any interface. Gone when dropped.
#[derive(Debug)]
pub struct Verdict<'a> {
    link: Option<Link>,
    filter: Option<(&'a Host, String, Place)>,
}

impl<'a> Verdict<'a> {
    /// By tcx: what is there goes on, or ends there.
    pub fn tcx(host: &Host, interface: &str, place: Place, pass: bool) -> Self {
        let hook = if place.leaving { Hook::TcxEgress } else { Hook::TcxIngress };
        let program = verdict(hook, if pass { TCX_PASS } else { TCX_DROP });
        let link = if place.first {
            program.attach_first(hook, host, interface)
        } else {
            program.attach(hook, host, interface)
        };
        Self { link: Some(link), filter: None }
    }

    /// By a filter: all goes on.
    pub fn clsact(host: &'a Host, interface: &str, place: Place) -> Self {
        let (direction, preference) = (place.direction(), place.preference());
        host.shell(&format!(
            "tc qdisc show dev {interface} | grep -q clsact || tc qdisc add dev {interface} clsact
             tc filter add dev {interface} {direction} prio {preference} \
                bpf bytecode '1,6 0 0 4294967295' flowid 1:1"
        ));
        Self { link: None, filter: Some((host, interface.to_owned(), place)) }
    }
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        drop(self.link.take());
        if let Some((host, interface, place)) = self.filter.take() {
            let (direction, preference) = (place.direction(), place.preference());
            let filter = format!("tc filter del dev {interface} {direction} prio {preference}");
            // The interface may be gone.
            let _ = host.command("sh").args(["-c", &filter]).output();
        }
    }
}

/// A tc program that does nothing, attached nowhere. Gone when dropped.
#[derive(Debug)]
pub struct Nothing(Program);

impl Nothing {
    /// Loads it.
    pub fn tc() -> Self {
        Self(verdict(Hook::TcxIngress, TCX_NEXT))
    }

    /// The kernel's number for the program.
    pub fn id(&self) -> u64 {
        self.0.id()
    }
}

/// A program that does nothing but return this.
fn verdict(hook: Hook, verdict: i32) -> Program {
    let mut code = Assembler::default();
    code.end(verdict);
    Program::load(hook, &code)
}
