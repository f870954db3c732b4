//! Which room of a crate may use which: what is typed above what is done, above what the kernel and the network have.
//!
//! A room is a folder of `src` with the file that has its name. A room may use those below it in its crate's table, or
//! less where the table says so.

use super::{
    finding::{Check, Finding},
    source::Source,
    uses::Use,
};

/// What a room may use besides itself.
enum May {
    /// All rooms below it.
    UseBelow,
    /// These, all of them below it.
    Use(&'static [&'static str]),
}
use May::{Use as Only, UseBelow};

/// The rooms of a crate.
struct Layout {
    /// Where the rooms are.
    src: &'static str,
    /// From top to bottom.
    rooms: &'static [(&'static str, May)],
    /// Files that are in no room: they may use all, and any room may use them.
    free: &'static [&'static str],
}

/// The one place that says how the crates are laid out. A room need not be there yet.
const LAYOUTS: [Layout; 2] = [
    Layout {
        src: "mirror-agent/src/",
        rooms: &[
            ("command", UseBelow),
            ("cli", UseBelow),
            ("output", UseBelow),
            ("inspect", Only(&["memcached"])),
            ("lifecycle", UseBelow),
            ("stats", UseBelow),
            // The roles, none of which knows another.
            ("source", Only(&["config", "kernel", "net"])),
            ("target", Only(&["config", "kernel", "net"])),
            ("guard", Only(&["config", "kernel", "net"])),
            ("config", UseBelow),
            ("kernel", UseBelow),
            ("net", Only(&[])),
            ("memcached", Only(&[])),
        ],
        free: &["main.rs", "lib.rs", "exit.rs"],
    },
    Layout {
        src: "mirror-common/src/",
        rooms: &[
            ("target", Only(&["memcached", "packet", "abi"])),
            ("source", Only(&["memcached", "packet", "abi"])),
            ("guard", Only(&["memcached", "packet", "abi"])),
            ("memcached", UseBelow),
            ("packet", UseBelow),
            ("abi", Only(&[])),
        ],
        free: &["lib.rs"],
    },
];

/// Uses against the direction.
pub(super) fn check(uses: &[Use]) -> Vec<Finding> {
    uses.iter().filter_map(|each| LAYOUTS.iter().find_map(|layout| layout.against(each))).collect()
}

/// Files that are in no room.
pub(super) fn check_files(files: &[Source]) -> Vec<Finding> {
    files
        .iter()
        .filter_map(|file| LAYOUTS.iter().find_map(|layout| layout.homeless(file)))
        .collect()
}

impl Layout {
    /// The room of a file, and none of a free one; none, too, of a file that is in no room.
    fn room(&self, path: &str) -> Option<(usize, &(&'static str, May))> {
        let name = path.strip_prefix(self.src)?.split('/').next()?;
        let name = name.strip_suffix(".rs").unwrap_or(name);
        self.rooms.iter().enumerate().find(|(_, room)| room.0 == name)
    }

    fn against(&self, each: &Use) -> Option<Finding> {
        let ((from_row, (from, may)), (to_row, (to, _))) =
            (self.room(&each.from)?, self.room(&each.to)?);
        let allowed = match may {
            UseBelow => from_row <= to_row,
            Only(rooms) => from_row == to_row || rooms.contains(to),
        };
        (!allowed).then(|| Finding {
            check: Check::Direction,
            path: each.from.clone(),
            line: each.line,
            text: format!(
                "room `{from}` must not use room `{to}`, as it does by {}: move what is used below `{from}`, or change \
                 LAYOUTS in xtask/src/tidy/rooms.rs",
                each.name
            ),
        })
    }

    fn homeless(&self, file: &Source) -> Option<Finding> {
        let name = file.path.strip_prefix(self.src)?;
        (self.room(&file.path).is_none() && !self.free.contains(&name)).then(|| Finding {
            check: Check::Homeless,
            path: file.path.clone(),
            line: 1,
            text: format!(
                "is in no room of {}: move it into one of LAYOUTS in xtask/src/tidy/rooms.rs, or add a room there",
                self.src
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        src: "a/src/",
        rooms: &[
            ("top", UseBelow),
            ("left", Only(&["bottom"])),
            ("right", Only(&["bottom"])),
            ("bottom", Only(&[])),
        ],
        free: &["lib.rs"],
    };

    fn allowed(from: &str, to: &str) -> bool {
        let each = Use { from: from.into(), to: to.into(), line: 1, name: String::new() };
        LAYOUT.against(&each).is_none()
    }

    #[test]
    fn rooms_use_those_below_them_only() {
        assert!(allowed("a/src/top/x.rs", "a/src/bottom.rs"));
        assert!(allowed("a/src/top/x.rs", "a/src/top/y.rs"));
        assert!(allowed("a/src/bottom/x.rs", "a/src/bottom/y.rs"));
        assert!(allowed("a/src/left/x.rs", "a/src/bottom/y.rs"));
        assert!(!allowed("a/src/bottom/x.rs", "a/src/top.rs"));
        assert!(!allowed("a/src/left.rs", "a/src/right/x.rs"));
    }

    #[test]
    fn free_files_and_other_crates_may_use_all() {
        assert!(allowed("a/src/lib.rs", "a/src/bottom.rs"));
        assert!(allowed("a/src/bottom.rs", "a/src/lib.rs"));
        assert!(allowed("b/src/bottom.rs", "b/src/top.rs"));
    }

    #[test]
    fn every_file_has_a_room() {
        let homeless = |path| LAYOUT.homeless(&Source::new(path, "")).is_some();
        assert!(homeless("a/src/other.rs") && homeless("a/src/other/top.rs"));
        for path in ["a/src/lib.rs", "a/src/top.rs", "a/src/top/other.rs", "b/src/other.rs"] {
            assert!(!homeless(path), "{path}");
        }
    }

    #[test]
    fn the_tables_have_one_direction() {
        for layout in &LAYOUTS {
            for (row, (name, may)) in layout.rooms.iter().enumerate() {
                let Only(rooms) = may else { continue };
                for room in *rooms {
                    let below = layout.rooms.iter().skip(row + 1).any(|(below, _)| below == room);
                    assert!(below, "{room} is not below {name}");
                }
            }
        }
    }
}
