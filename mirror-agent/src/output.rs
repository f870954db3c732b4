//! Counters and states as text. No I/O here: values in, string out.

mod changes;
mod compare;
mod detached;
mod identity;
mod json;
mod keys;
mod maps;
mod selection;
mod state;
mod stats;
mod status;
mod terminal;
mod text;

pub use changes::{changed, replaced};
pub use compare::{Compared, Report, json as comparison_json, table as comparison_table};
pub use detached::{Detached, line as detached_line};
pub use identity::{Identity, Origin};
pub use json::{document as json_document, stats as stats_json, status as status_json};
pub use keys::{heading as keys_heading, json as key_json, row as key_row};
pub use maps::{json as maps_json, lines as source_lines, text as maps_text};
pub use selection::{Deadline, SelectionState};
pub use state::{Detail, MapState, RoleDetail, ServedPort, State, TargetDetail};
pub use stats::{
    all::text as stats_all,
    explain::text as counter_text,
    follow::{HEADER as FOLLOW_HEADER, Row as FollowRow, row as follow_row},
    text as stats_text,
};
pub use status::{
    check::{Verdict, line as check_line},
    table as status_table,
};
pub use terminal::{clear_progress, is_closed, line, note, print, progress, report};
