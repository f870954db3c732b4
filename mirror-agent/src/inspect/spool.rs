//! A queue of bytes that never makes the writer wait for the reader: what does not fit memory goes to a file.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// Bytes that are kept in memory.
const MEMORY: usize = 16 << 20;
/// Bytes that are read from the file at a time.
const READ: usize = 1 << 20;

/// One writer, one reader, on two threads.
#[derive(Debug, Default)]
pub struct Spool {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    memory: VecDeque<Vec<u8>>,
    /// Bytes in `memory`.
    held: usize,
    /// What follows `memory`: from `read` to `written`. Nobody else can open the file; it is gone with the process.
    file: Option<Arc<File>>,
    read: u64,
    written: u64,
    /// Bytes that were ever appended.
    pushed: u64,
    closed: bool,
}

impl Spool {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// Where the file cannot be made or written.
    pub fn push(&self, bytes: Vec<u8>) -> io::Result<()> {
        let mut state = self.lock();
        state.pushed += bytes.len() as u64;
        if state.read == state.written && state.held + bytes.len() <= MEMORY {
            state.held += bytes.len();
            state.memory.push_back(bytes);
        } else {
            let file = match &state.file {
                Some(file) => file.clone(),
                None => state.file.insert(Arc::new(tempfile::tempfile_in(folder())?)).clone(),
            };
            file.write_all_at(&bytes, state.written)?;
            state.written += bytes.len() as u64;
        }
        self.more.notify_one();
        Ok(())
    }

    /// Says that nothing follows.
    pub fn close(&self) {
        self.lock().closed = true;
        self.more.notify_one();
    }

    /// Waits until nothing follows, and tells now and then how many bytes have come.
    pub fn wait_until_closed(&self, mut meanwhile: impl FnMut(u64)) {
        let mut state = self.lock();
        while !state.closed {
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
            let pushed = state.pushed;
            // The writer does not wait for what is told.
            drop(state);
            meanwhile(pushed);
            state = self.lock();
        }
    }

    /// The next bytes, for which it waits; `None` at the end.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read.
    pub fn pop(&self) -> io::Result<Option<Vec<u8>>> {
        let mut state = self.lock();
        let (file, at, count) = loop {
            if let Some(bytes) = state.memory.pop_front() {
                state.held -= bytes.len();
                return Ok(Some(bytes));
            }
            if let Some(file) = &state.file
                && state.read < state.written
            {
                let left = usize::try_from(state.written - state.read).unwrap_or(READ);
                break (file.clone(), state.read, left.min(READ));
            }
            if state.closed {
                return Ok(None);
            }
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        // The writer does not wait for the disk meanwhile.
        drop(state);
        let mut bytes = vec![0; count];
        file.read_exact_at(&mut bytes, at)?;
        let mut state = self.lock();
        state.read += count as u64;
        if state.read == state.written {
            (state.read, state.written) = (0, 0);
            file.set_len(0)?;
        }
        Ok(Some(bytes))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half done where a thread may panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Not `/tmp`, which may be memory.
fn folder() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The n-th piece; all pieces differ.
    fn piece(n: u64) -> Vec<u8> {
        n.to_le_bytes().repeat(1 << 14)
    }

    fn read_all(spool: &Spool) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = spool.pop().unwrap() {
            all.extend_from_slice(&bytes);
        }
        all
    }

    #[test]
    fn more_than_memory_holds_comes_back_in_order() {
        let spool = Spool::default();
        let count = 3 * MEMORY as u64 / piece(0).len() as u64;
        for n in 0..count {
            spool.push(piece(n)).unwrap();
        }
        {
            let state = spool.lock();
            assert!(state.held <= MEMORY && state.written > MEMORY as u64);
        }
        spool.close();
        assert!(read_all(&spool) == (0..count).map(piece).collect::<Vec<_>>().concat());
        assert_eq!(spool.lock().file.as_ref().unwrap().metadata().unwrap().len(), 0);
    }

    #[test]
    fn both_ends_at_once() {
        let spool = Spool::default();
        let count = 600;
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_all(&spool));
            for n in 0..count {
                spool.push(piece(n)).unwrap();
            }
            spool.close();
            assert!(reader.join().unwrap() == (0..count).map(piece).collect::<Vec<_>>().concat());
        });
    }

    #[test]
    fn the_end_can_be_waited_for() {
        let spool = Spool::default();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut told = 0;
                spool.wait_until_closed(|bytes| told = bytes);
                assert!(told == 0 || told == 2 * piece(0).len() as u64, "{told}");
                read_all(&spool).len()
            });
            spool.push(piece(1)).unwrap();
            spool.push(piece(2)).unwrap();
            spool.close();
            assert_eq!(reader.join().unwrap(), 2 * piece(0).len());
        });
    }

    #[test]
    fn nothing() {
        let spool = Spool::default();
        spool.close();
        assert_eq!(spool.pop().unwrap(), None);
    }
}
