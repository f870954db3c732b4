//! A small assembler (RFC 9669): instructions by name, jumps by label.

use super::Map;

/// A register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register(u8);

/// What a helper returns, and a program.
pub(crate) const R0: Register = Register(0);
/// A helper's first argument. A call spoils these.
pub(crate) const R1: Register = Register(1);
/// A helper's second argument.
pub(crate) const R2: Register = Register(2);
/// A helper's third argument.
pub(crate) const R3: Register = Register(3);
/// Survives calls. Packet bytes are read through it.
const R6: Register = Register(6);
/// Survives calls.
pub(crate) const R7: Register = Register(7);
/// End of the stack.
const R10: Register = Register(10);

/// The register that holds the context, from [`Assembler::keep_context`] on.
pub(crate) const CONTEXT: Register = R6;
/// Offset of `mark` in the context (`struct __sk_buff`).
pub(crate) const MARK: i16 = 8;
/// Offset of `ingress_ifindex`: the interface that the packet came in by.
pub(crate) const IFINDEX_IN: i16 = 36;

/// Numbers of helpers (`bpf-helpers(7)`).
pub(crate) mod helper {
    /// `void *map_lookup_elem(map, key)`
    pub(super) const MAP_LOOKUP: i32 = 1;
    /// `u64 ktime_get_ns()`
    pub(crate) const KTIME: i32 = 5;
    /// `u32 get_prandom_u32()`
    pub(crate) const RANDOM: i32 = 7;
    /// `long clone_redirect(skb, ifindex, flags)`
    pub(crate) const CLONE_REDIRECT: i32 = 13;
    /// `long redirect(ifindex, flags)`, the verdict
    pub(crate) const REDIRECT: i32 = 23;
}

/// A place in the program, to jump to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label(usize);

/// A program that is being written.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    code: Vec<u64>,
    /// Where each label is, once it is known.
    places: Vec<Option<usize>>,
    /// Jumps, and the labels that they go to.
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    /// Keeps the context, which a program has in `R1` when it begins.
    pub(crate) fn keep_context(&mut self) {
        self.copy(CONTEXT, R1);
    }

    /// A label that has no place yet.
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// Gives `label` its place: here.
    pub(crate) fn here(&mut self, label: Label) {
        self.places[label.0] = Some(self.code.len());
    }

    /// The finished program.
    pub(crate) fn instructions(&self) -> Vec<u64> {
        let mut code = self.code.clone();
        for (at, label) in &self.jumps {
            let place = self.places[label.0].expect("a label has a place");
            let distance = i16::try_from(place - at - 1).expect("jumps go forward, and not far");
            code[*at] |= u64::from(distance.cast_unsigned()) << 16;
        }
        code
    }

    /// `to = from`
    pub(crate) fn copy(&mut self, to: Register, from: Register) {
        self.push(0xbf, to, from, 0, 0);
    }

    /// `to = value`
    pub(crate) fn set(&mut self, to: Register, value: i32) {
        self.push(0xb7, to, R0, 0, value);
    }

    /// `to += from`
    pub(crate) fn add(&mut self, to: Register, from: Register) {
        self.push(0x0f, to, from, 0, 0);
    }

    /// `to += value`
    pub(crate) fn add_value(&mut self, to: Register, value: i32) {
        self.push(0x07, to, R0, 0, value);
    }

    /// `to &= value`
    pub(crate) fn and_value(&mut self, to: Register, value: i32) {
        self.push(0x57, to, R0, 0, value);
    }

    /// `to >>= bits`
    pub(crate) fn shift_right(&mut self, to: Register, bits: i32) {
        self.push(0x77, to, R0, 0, bits);
    }

    /// `to -= from`, 32 bits wide
    pub(crate) fn subtract_u32(&mut self, to: Register, from: Register) {
        self.push(0x1c, to, from, 0, 0);
    }

    /// `to = *(u32 *)(from + offset)`
    pub(crate) fn load(&mut self, to: Register, from: Register, offset: i16) {
        self.push(0x61, to, from, offset, 0);
    }

    /// `*(u32 *)(to + offset) = from`
    pub(crate) fn store(&mut self, to: Register, offset: i16, from: Register) {
        self.push(0x63, to, from, offset, 0);
    }

    /// `R0` = the packet's byte at `offset`. A packet that ends before is let pass.
    pub(crate) fn packet_u8(&mut self, offset: i32) {
        self.push(0x30, R0, R0, 0, offset);
    }

    /// `R0` = two bytes of the packet, in host order.
    pub(crate) fn packet_u16(&mut self, offset: i32) {
        self.push(0x28, R0, R0, 0, offset);
    }

    /// `R0` = four bytes of the packet, in host order.
    pub(crate) fn packet_u32(&mut self, offset: i32) {
        self.push(0x20, R0, R0, 0, offset);
    }

    /// Calls a helper of [`helper`].
    pub(crate) fn call(&mut self, helper: i32) {
        self.push(0x85, R0, R0, 0, helper);
    }

    /// Goes to `label` if the lower half of `register` equals `value`.
    pub(crate) fn jump_equal(&mut self, register: Register, value: u32, label: Label) {
        self.jump_if(0x16, register, value, label);
    }

    /// The same if it does not.
    pub(crate) fn jump_unequal(&mut self, register: Register, value: u32, label: Label) {
        self.jump_if(0x56, register, value, label);
    }

    /// The same if it is less, both without a sign.
    pub(crate) fn jump_below(&mut self, register: Register, value: u32, label: Label) {
        self.jump_if(0xa6, register, value, label);
    }

    /// The same if it is more than zero, with a sign.
    pub(crate) fn jump_positive(&mut self, register: Register, label: Label) {
        self.jump_if(0x66, register, 0, label);
    }

    /// Adds one to entry `index` of `map`. Spoils `R0` to `R5`.
    pub(crate) fn count(&mut self, map: &Map, index: i32) {
        let absent = self.label();
        self.push(0x62, R10, R0, -4, index); // *(u32 *)(r10 - 4) = index
        self.copy(R2, R10);
        self.add_value(R2, -4);
        self.push(0x18, R1, Register(1), 0, map.as_raw_fd()); // r1 = map, in two halves
        self.push(0, R0, R0, 0, 0);
        self.call(helper::MAP_LOOKUP);
        self.jump_if(0x15, R0, 0, absent);
        self.set(R1, 1);
        self.push(0xdb, R0, R1, 0, 0); // lock *(u64 *)r0 += r1
        self.here(absent);
    }

    /// Ends the program with a verdict.
    pub(crate) fn end(&mut self, verdict: i32) {
        self.set(R0, verdict);
        self.exit();
    }

    /// Ends the program with the verdict in `R0`.
    pub(crate) fn exit(&mut self) {
        self.push(0x95, R0, R0, 0, 0);
    }

    fn jump_if(&mut self, code: u64, register: Register, value: u32, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.push(code, register, R0, 0, value.cast_signed());
    }

    /// An instruction: code, destination and source register, offset, immediate.
    fn push(&mut self, code: u64, to: Register, from: Register, offset: i16, immediate: i32) {
        self.code.push(
            code | u64::from(to.0 | from.0 << 4) << 8
                | u64::from(offset.cast_unsigned()) << 16
                | u64::from(immediate.cast_unsigned()) << 32,
        );
    }
}
