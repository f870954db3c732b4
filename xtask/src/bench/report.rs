//! Tables and JSON.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use serde_json::{Map, Value, json};

use super::spread::{Estimate, median};

/// What was measured so far.
#[derive(Default)]
pub(crate) struct Report(Map<String, Value>);

/// One cell of a table.
pub(crate) enum Cell {
    /// A name.
    Text(String),
    /// A number, shown with so many digits after the point.
    Number(f64, usize),
    /// The median of these, likewise; nothing where there are none. JSON has all of them.
    Median(Vec<f64>, usize),
    /// What is estimated, or that nobody can tell.
    Estimate(Estimate, usize),
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count.
    pub(crate) fn count(number: u64) -> Self {
        Self::Number(number as f64, 0)
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number, digits) => format!("{number:.digits$}"),
            Self::Median(values, digits) if !values.is_empty() => {
                format!("{:.digits$}", median(values))
            }
            Self::Median(..) => "-".to_owned(),
            Self::Estimate(estimate, digits) => estimate
                .told()
                .map_or_else(|| "cannot tell".to_owned(), |number| format!("{number:.digits$}")),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number, _) => json!(number),
            Self::Median(values, _) if !values.is_empty() => {
                json!({ "median": median(values), "rounds": values })
            }
            Self::Median(..) => Value::Null,
            Self::Estimate(estimate, _) => json!({
                "told": estimate.told(),
                "median": estimate.median,
                "within": estimate.within,
                "doubt": estimate.doubt,
                "rounds": estimate.values,
            }),
        }
    }
}

/// Who chooses how fast a CPU runs.
fn frequency() -> String {
    let governor = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    governor.map_or_else(|_| "nobody here".to_owned(), |name| name.trim().to_owned())
}

impl Report {
    /// Where and with what; first of all.
    pub(crate) fn environment(&mut self, agent: &Path, background: &[f64], awake: bool) {
        let said = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            output.map_or_else(
                |_| String::new(),
                |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            )
        };
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processor
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, name)| name);
        let busy: Vec<_> = background.iter().map(|part| format!("{:.0} %", part * 100.0)).collect();
        let rows = [
            ("mirror-agent", said(&agent.display().to_string(), &["--version"])),
            ("memcached", said("memcached", &["--version"])),
            ("kernel", said("uname", &["-srm"])),
            ("processor", processor.to_owned()),
            ("CPUs", said("nproc", &[])),
            ("busy before", busy.join(", ")),
            ("frequency", frequency()),
            ("idle CPUs", (if awake { "poll" } else { "sleep" }).to_owned()),
            ("date", said("date", &["--iso-8601=seconds"])),
        ];
        for (name, value) in &rows {
            println!("{name:14}{value}");
        }
        let rows = rows.map(|(name, value)| (name.to_owned(), json!(value)));
        self.0.insert("environment".to_owned(), Map::from_iter(rows).into());
    }

    /// Prints a table, and keeps it. Heads may have several lines.
    pub(crate) fn table(&mut self, title: &str, note: &str, heads: &[&str], rows: &[Vec<Cell>]) {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(heads);
        table.add_rows(rows.iter().map(|row| row.iter().map(Cell::shown).collect::<Vec<_>>()));
        for (number, column) in table.column_iter_mut().enumerate() {
            let numbers = |row: &Vec<Cell>| !matches!(row.get(number), Some(Cell::Text(_)));
            if rows.iter().all(numbers) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!("\n{title}\n{note}");
        for line in table.lines() {
            println!("{}", line.trim_end());
        }
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                let names = heads.iter().map(|head| head.replace('\n', " "));
                Map::from_iter(names.zip(row.iter().map(Cell::json))).into()
            })
            .collect();
        self.0.insert(title.to_owned(), json!({ "note": note, "rows": rows }));
    }

    /// Prints what has to be said about a table, and keeps it.
    pub(crate) fn remarks(&mut self, title: &str, lines: &[String]) {
        for line in lines {
            println!("{line}");
        }
        if let Some(table) = self.0.get_mut(title) {
            table["remarks"] = json!(lines);
        }
    }

    /// Writes everything to `path`.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.0)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        println!("\nwritten to {}", path.display());
        Ok(())
    }
}
