//! Walks along a client's stream from request to request (memcached's protocol.txt; its binary
//! protocol, "Packet Structure").
//!
//! A byte at a time, and values are skipped: the state fits a flow, so that a request may be cut
//! into segments anywhere. What it cannot follow it says so; it never guesses.

use crate::abi::RequestState;
use crate::memcached::request_start::{BINARY_REQUEST, MAX_BODY, MAX_OPCODE};

/// Nothing is known of where requests begin.
const LOST: u8 = 0;
/// Behind [`RequestState::data`] bytes a request begins.
const BETWEEN: u8 = 1;
/// In the name of a text command.
const COMMAND: u8 = 2;
/// Behind it, in the same line, in a word.
const WORD: u8 = 3;
/// The same, between two.
const BLANK: u8 = 4;
/// In a binary header.
const HEADER: u8 = 5;

/// The longest name of a command that may be one.
const MAX_NAME: u8 = 16;
/// Bytes of a binary header.
pub(crate) const BINARY_HEADER: u8 = 24;
/// Of [`RequestState::least`]: perhaps the client asked for no reply.
const QUIET: u8 = 0x80;

impl RequestState {
    /// At the first byte of a request.
    pub const BOUNDARY: Self = Self {
        word: 0,
        data: 0,
        owed: 0,
        phase: BETWEEN,
        count: 0,
        length_at: 0,
        least: 0,
        pad: 0,
    };

    /// Whether the way was lost.
    #[inline(always)]
    pub fn is_lost(&self) -> bool {
        self.phase == LOST
    }

    /// Whether the next byte is the first of a request.
    #[inline(always)]
    pub fn at_boundary(&self) -> bool {
        self.phase == BETWEEN && self.data == 0
    }

    /// Bytes of replies that are outstanding at least.
    #[inline(always)]
    pub fn owed(&self) -> u32 {
        self.owed
    }

    /// The client acknowledges so many bytes of replies. Those to what was before the walk, or that are
    /// longer than they need be, count for nothing that follows.
    #[inline(always)]
    pub fn acknowledge(&mut self, bytes: u32) {
        self.owed = self.owed.saturating_sub(bytes);
    }

    /// Loses the way.
    #[inline(always)]
    pub fn lose(&mut self) {
        self.phase = LOST;
    }

    /// Skips what is left of a value, `available` bytes at most; returns how many.
    #[inline(always)]
    pub fn skip(&mut self, available: u32) -> u32 {
        let skipped = if self.data < available { self.data } else { available };
        self.data -= skipped;
        skipped
    }

    /// Takes the next byte, where there is nothing to skip.
    #[inline(always)]
    pub fn push(&mut self, byte: u8) {
        match self.phase {
            BETWEEN => self.begin(byte),
            COMMAND => self.name(byte),
            WORD | BLANK => self.argument(byte),
            HEADER => self.header(byte),
            _ => {}
        }
    }

    /// Takes all of `bytes`.
    ///
    /// ```
    /// use mirror_common::abi::RequestState;
    ///
    /// let inside = RequestState::BOUNDARY.feed(b"set key 0 0 5\r\nhel");
    /// assert!(!inside.at_boundary());
    /// assert!(inside.feed(b"lo\r\n").at_boundary());
    /// ```
    #[must_use]
    pub fn feed(mut self, mut bytes: &[u8]) -> Self {
        loop {
            let skipped = self.skip(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let Some((byte, rest)) = bytes[skipped as usize..].split_first() else { return self };
            self.push(*byte);
            bytes = rest;
        }
    }

    #[inline(always)]
    fn begin(&mut self, byte: u8) {
        self.count = 1;
        if byte == BINARY_REQUEST {
            self.phase = HEADER;
            self.word = 0;
        } else if byte.is_ascii_lowercase() {
            self.phase = COMMAND;
            self.word = u64::from(byte);
        } else {
            self.lose();
        }
    }

    #[inline(always)]
    fn name(&mut self, byte: u8) {
        match byte {
            b'a'..=b'z' | b'_' if self.count < MAX_NAME => {
                if self.count < 8 {
                    self.word |= u64::from(byte) << (8 * u32::from(self.count));
                }
                self.count += 1;
            }
            b' ' | b'\r' | b'\n' => {
                self.length_at = length_at(self.word, self.count);
                self.least = least_reply(self.word as u8, self.length_at);
                self.phase = BLANK;
                self.word = 0;
                self.count = 0;
                self.argument(byte);
            }
            _ => self.lose(),
        }
    }

    #[inline(always)]
    fn argument(&mut self, byte: u8) {
        match byte {
            b' ' | b'\r' => self.phase = BLANK,
            b'\n' => {
                if self.length_at > self.count {
                    // Without a length.
                    self.lose();
                    return;
                }
                self.phase = BETWEEN;
                if self.least & QUIET == 0 {
                    self.owed = self.owed.saturating_add(u32::from(self.least));
                }
                // Two more bytes end the value.
                self.data = if self.length_at == 0 { 0 } else { self.word as u32 + 2 };
            }
            0..b' ' => self.lose(),
            _ => {
                if self.phase == BLANK {
                    self.phase = WORD;
                    // As "noreply" does.
                    self.least = self.least & !QUIET | if byte == b'n' { QUIET } else { 0 };
                    self.count = self.count.saturating_add(1);
                }
                if self.length_at != 0 && self.count == self.length_at {
                    self.word = self.word * 10 + u64::from(byte.wrapping_sub(b'0'));
                    if !byte.is_ascii_digit() || self.word > u64::from(MAX_BODY) {
                        self.lose();
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn header(&mut self, byte: u8) {
        let at = self.count;
        self.count += 1;
        match at {
            1 if byte > MAX_OPCODE => self.lose(),
            1 => self.least = if replies(byte) { BINARY_HEADER } else { 0 },
            8..12 => self.word = self.word << 8 | u64::from(byte),
            _ => {}
        }
        if self.phase == HEADER && self.count == BINARY_HEADER {
            if self.word > u64::from(MAX_BODY) {
                self.lose();
                return;
            }
            self.phase = BETWEEN;
            self.owed = self.owed.saturating_add(u32::from(self.least));
            self.data = self.word as u32;
        }
    }
}

/// Which word behind a command's name is the length of the value that follows the line.
#[inline(always)]
fn length_at(name: u64, letters: u8) -> u8 {
    const fn of(name: &[u8]) -> u64 {
        let (mut word, mut at) = (0, 0);
        while at < name.len() {
            word |= (name[at] as u64) << (8 * at);
            at += 1;
        }
        word
    }
    const SET: u64 = of(b"set");
    const ADD: u64 = of(b"add");
    const CAS: u64 = of(b"cas");
    const APPEND: u64 = of(b"append");
    const PREPEND: u64 = of(b"prepend");
    const REPLACE: u64 = of(b"replace");
    const META_SET: u64 = of(b"ms");
    if letters > 8 {
        return 0;
    }
    match name {
        SET | ADD | CAS | APPEND | PREPEND | REPLACE => 4,
        META_SET => 2,
        _ => 0,
    }
}

/// The shortest reply to a text command whose name begins with this letter.
#[inline(always)]
fn least_reply(letter: u8, length_at: u8) -> u8 {
    let reply: &[u8] = match letter {
        // Meta commands can be quiet. "quit" is.
        b'm' | b'q' => b"",
        b'g' => b"END\r\n",
        // Shorter than "STORED".
        _ if length_at != 0 => b"ERROR\r\n",
        // Of "incr".
        _ => b"0\r\n",
    };
    reply.len() as u8
}

/// Whether the server always replies to this opcode of the binary protocol.
#[inline(always)]
fn replies(opcode: u8) -> bool {
    matches!(opcode, 0x00..=0x08 | 0x0a..=0x0c | 0x0e..=0x10 | 0x1c | 0x1d | 0x23)
}

#[cfg(test)]
mod tests;
