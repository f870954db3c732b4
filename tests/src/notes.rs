//! What `attach` warns of, and what `status` says of it later.

use serde_json::Value;

use crate::host::Host;

impl Host {
    /// Attaches as a source; returns what it warns of.
    pub fn attach_warned(&self, arguments: &str) -> String {
        let output = self.agent(&format!("attach eth0 {arguments}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "attach {arguments}: {said}");
        said
    }

    /// The notes of the first attachment that `status` shows, which it shows to people and to scripts.
    pub fn notes(&self) -> Vec<String> {
        let text = self.agent_ok("status --json");
        let document: Value = serde_json::from_str(&text).expect("status --json prints JSON");
        let notes = document["attachments"][0]["notes"].as_array().expect("a list of notes");
        let notes: Vec<String> =
            notes.iter().map(|note| note.as_str().expect("a sentence").to_owned()).collect();
        let table = self.agent_ok("status");
        for note in &notes {
            assert!(table.contains(&format!("note: {note}\n")), "{note}: {table}");
        }
        assert_eq!(table.matches("note: ").count(), notes.len(), "{table}");
        notes
    }

    /// Attaches; panics unless both have a line with each of these texts.
    pub fn assert_said(&self, arguments: &str, texts: &[&str]) {
        let warned = self.attach_warned(arguments);
        let notes = self.notes();
        for text in texts {
            assert!(warned.contains(text), "attach does not say {text}: {warned}");
            assert!(notes.iter().any(|note| note.contains(text)), "no note says {text}: {notes:?}");
        }
    }
}
