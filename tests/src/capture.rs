//! What was on a wire.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::host::{Host, Running};

/// Matches ICMP errors of both protocols (RFC 792; RFC 4443, 2.1), and not what is asked and answered.
pub const ICMP_ERROR: &str =
    "(icmp and icmp[0] != 0 and icmp[0] != 8) or (icmp6 and ip6[40] < 128)";

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Running,
    file: PathBuf,
}

impl Capture {
    /// Captures what `filter` matches at an interface; when this returns, nothing is missed any more.
    pub fn start(host: &Host, interface: &str, filter: &str) -> Self {
        Self::start_towards(host, interface, "inout", filter)
    }

    /// The same of what arrives there only.
    pub fn start_arriving(host: &Host, interface: &str, filter: &str) -> Self {
        Self::start_towards(host, interface, "in", filter)
    }

    fn start_towards(host: &Host, interface: &str, direction: &str, filter: &str) -> Self {
        let file = std::env::temp_dir().join(format!("{}-{interface}.pcap", host.namespace));
        let mut child = host
            .command("tcpdump")
            .args(["-i", interface, "-Q", direction])
            .args(["-n", "-p", "-U", "--immediate-mode", "-s", "128", "-w"])
            .arg(&file)
            .arg(filter)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump is installed");
        let stderr = child.stderr.take().expect("a piped stream");
        let tcpdump = Running(child);
        let mut lines = BufReader::new(stderr);
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            let n = lines.read_line(&mut line).expect("tcpdump says that it listens");
            assert_ne!(n, 0, "tcpdump ended before it listened");
        }
        // Keeps the pipe open and empty for as long as tcpdump writes to it.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { tcpdump, file }
    }

    /// Ends the capture; returns a line for each packet.
    pub fn stop(mut self) -> Vec<String> {
        self.tcpdump.signal(Signal::SIGINT);
        self.tcpdump.0.wait().expect("tcpdump ends");
        let output = Command::new("tcpdump")
            .args(["-n", "-r"])
            .arg(&self.file)
            .output()
            .expect("tcpdump reads what it wrote");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}
