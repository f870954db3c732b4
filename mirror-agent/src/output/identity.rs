//! Who made an attachment, and where it is, where its interface's name does not say it.

/// Where an attachment is, beside the name of its interface.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// What the interface was called when something was attached, where that is another name than now.
    pub attached_as: Option<String>,
    /// The inode of its network namespace, where that is known.
    pub namespace: Option<u64>,
    /// Whether that is another one than this.
    pub elsewhere: bool,
    /// What a command line has to begin with to be run there, where that is another one and a way in is known.
    pub prefix: Option<String>,
}

impl Identity {
    /// In words, what is not as one would expect.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> =
            self.attached_as.iter().map(|name| format!("attached as {name}")).collect();
        if self.elsewhere {
            let number = self.namespace.unwrap_or_default();
            let leads_there = |prefix: &String| format!(": `{prefix}` leads there");
            let way = self.prefix.as_ref().map_or_else(String::new, leads_there);
            notes.push(format!("in another network namespace ({number}){way}"));
        }
        notes
    }
}

/// Who attached, and when. Every version can read it of every other.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Seconds since the epoch.
    pub attached_at: u64,
    /// Seconds that it has been attached for.
    pub age: u64,
    /// Version of the agent that attached.
    pub version: String,
}
