//! A bad network between the hosts: copies are dropped, doubled and overtaken on the switch.
//!
//! One program stands where the switch sends to the new host. It throws dice for each copy that the
//! old host sent; what else passes by is left alone. What is to be late goes round a pair of
//! interfaces until it is due: a second program, at the pair's far end, looks at the clock.

use std::net::IpAddr;

use crate::{
    bpf::{
        Assembler, CONTEXT, Hook, IFINDEX_IN, Link, MARK, Map, Program, R0, R1, R2, R3, R7,
        TCX_DROP, TCX_NEXT, helper,
    },
    host::Host,
    lab::Lab,
};

/// The clock in units of 65.536 µs: nanoseconds shifted right by this.
const TICK: i32 = 16;
/// A late copy is late by one unit and a random number of them, of these bits: by 0.1 to 0.5 ms.
const LATENESS: i32 = 0x7;
/// The mark of a copy that was here before. While it is late, its mark is when it is due.
const JUDGED: u32 = 1;

const SEEN: i32 = 0;
const DROPPED: i32 = 1;
const DOUBLED: i32 = 2;
const DELAYED: i32 = 3;

/// Of a copy, the probability of each fate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// It is lost.
    pub drop: f64,
    /// It comes twice: at once, or the second time late.
    pub double: f64,
    /// It comes late, behind what was sent after it.
    pub delay: f64,
}

/// What was done to copies. Packets as they are on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Copies that the old host sent.
    pub seen: u64,
    /// Of these, the ones that were lost.
    pub dropped: u64,
    /// And those that came twice.
    pub doubled: u64,
    /// And those that came late.
    pub delayed: u64,
}

/// A bad network, until [`Impairment::end`].
#[derive(Debug)]
pub struct Impairment {
    counts: Map,
    dice: Option<Link>,
    _way_round: Link,
}

impl Impairment {
    /// From now on, IPv4 copies to `port` of `target` meet these rates.
    pub fn begin(lab: &Lab, target: &Host, port: u16, rates: Rates) -> Self {
        let switch = lab.switch();
        switch.ip(&["link", "add", "round0", "type", "veth", "peer", "name", "round1"]);
        // A packet each 37 µs: enough for hundreds that are late, and little for the processor.
        switch
            .shell("tc qdisc add dev round0 root tbf rate 320mbit burst 10kb limit 20mb mpu 1500");
        for name in ["round0", "round1"] {
            switch.ip(&["link", "set", "dev", name, "arp", "off", "up"]);
        }
        let counts = Map::new(4);
        let wire = Wire {
            from: switch.interface_index("old"),
            to: switch.interface_index("new").cast_signed(),
            round: switch.interface_index("round0").cast_signed(),
        };
        let way_round = Program::load(Hook::TcxIngress, &wire.back()).attach(
            Hook::TcxIngress,
            switch,
            "round1",
        );
        let IpAddr::V4(target) = target.v4() else { unreachable!("v4 gives IPv4") };
        let dice =
            Program::load(Hook::TcxEgress, &wire.dice((target.into(), port), rates, &counts))
                .attach(Hook::TcxEgress, switch, "new");
        Self { counts, dice: Some(dice), _way_round: way_round }
    }

    /// From now on nothing happens to copies. What is late still comes.
    pub fn end(&mut self) {
        self.dice = None;
    }

    /// Takes the way round away, with what is still on it, so that another bad network can begin.
    pub fn remove(self, lab: &Lab) {
        lab.switch().ip(&["link", "del", "round0"]);
    }

    /// What was done to copies up to now.
    pub fn done(&self) -> Done {
        let count = |index: i32| self.counts.read(index.cast_unsigned());
        Done {
            seen: count(SEEN),
            dropped: count(DROPPED),
            doubled: count(DOUBLED),
            delayed: count(DELAYED),
        }
    }
}

/// Numbers of the switch's interfaces.
#[derive(Clone, Copy)]
struct Wire {
    from: u32,
    to: i32,
    round: i32,
}

impl Wire {
    /// The program in front of the new host.
    fn dice(self, (target, port): (u32, u16), rates: Rates, counts: &Map) -> Assembler {
        let mut code = Assembler::default();
        let [fresh, pass, drop, double, delay, late_twin] = std::array::from_fn(|_| code.label());
        code.keep_context();
        code.load(R7, CONTEXT, MARK);
        code.jump_unequal(R7, JUDGED, fresh);
        code.set(R1, 0);
        code.store(CONTEXT, MARK, R1);
        code.end(TCX_NEXT);

        code.here(fresh);
        code.load(R0, CONTEXT, IFINDEX_IN);
        code.jump_unequal(R0, self.from, pass);
        for (offset, value) in [(12, 0x0800), (36, u32::from(port))] {
            code.packet_u16(offset);
            code.jump_unequal(R0, value, pass);
        }
        // IPv4 without options, TCP.
        for (offset, value) in [(14, 0x45), (23, 6)] {
            code.packet_u8(offset);
            code.jump_unequal(R0, value, pass);
        }
        code.packet_u32(30);
        code.jump_unequal(R0, target, pass);
        code.count(counts, SEEN);
        code.call(helper::RANDOM);
        let mut below = 0.0;
        for (rate, fate) in [(rates.drop, drop), (rates.double, double), (rates.delay, delay)] {
            below += rate;
            code.jump_below(R0, share(below), fate);
        }
        code.here(pass);
        code.end(TCX_NEXT);

        code.here(drop);
        code.count(counts, DROPPED);
        code.end(TCX_DROP);

        code.here(double);
        code.count(counts, DOUBLED);
        code.call(helper::RANDOM);
        code.and_value(R0, 1);
        code.jump_equal(R0, 0, late_twin);
        code.set(R2, JUDGED.cast_signed());
        twin(&mut code, self.to);
        code.here(late_twin);
        due(&mut code);
        twin(&mut code, self.round);

        code.here(delay);
        code.count(counts, DELAYED);
        due(&mut code);
        code.store(CONTEXT, MARK, R2);
        redirect(&mut code, self.round);
        code
    }

    /// The program at the far end of the way round.
    fn back(self) -> Assembler {
        let mut code = Assembler::default();
        let [late, early] = std::array::from_fn(|_| code.label());
        code.keep_context();
        code.load(R7, CONTEXT, MARK);
        // The kernel's own packets on a new interface.
        code.jump_unequal(R7, 0, late);
        code.end(TCX_DROP);

        code.here(late);
        code.call(helper::KTIME);
        code.shift_right(R0, TICK);
        code.subtract_u32(R7, R0);
        code.jump_positive(R7, early);
        code.set(R1, JUDGED.cast_signed());
        code.store(CONTEXT, MARK, R1);
        redirect(&mut code, self.to);
        code.here(early);
        redirect(&mut code, self.round);
        code
    }
}

/// A probability as a number below which a random one is.
fn share(probability: f64) -> u32 {
    // A float that is too large becomes the largest number.
    (probability * f64::from(u32::MAX)) as u32
}

/// `R2` = when a copy that is late from now on is due.
fn due(code: &mut Assembler) {
    code.call(helper::KTIME);
    code.copy(R7, R0);
    code.shift_right(R7, TICK);
    code.call(helper::RANDOM);
    code.and_value(R0, LATENESS);
    code.copy(R2, R0);
    code.add_value(R2, 1);
    code.add(R2, R7);
}

/// Sends a copy of the copy, with the mark in `R2`, and lets the first pass.
fn twin(code: &mut Assembler, interface: i32) {
    code.store(CONTEXT, MARK, R2);
    code.copy(R1, CONTEXT);
    code.set(R2, interface);
    code.set(R3, 0);
    code.call(helper::CLONE_REDIRECT);
    code.set(R1, 0);
    code.store(CONTEXT, MARK, R1);
    code.end(TCX_NEXT);
}

/// Ends the program: the packet leaves by `interface`.
fn redirect(code: &mut Assembler, interface: i32) {
    code.set(R1, interface);
    code.set(R2, 0);
    code.call(helper::REDIRECT);
    code.exit();
}
