//! What a shell, a script and a tired operator do: pipes that close, directories that are something else, typing errors.

use std::{
    io::pipe,
    net::UdpSocket,
    process::{Output, Stdio},
};

use mirror_tests::{
    Host, Lab,
    agent::binary,
    mirror::{Mirror, PORT},
    wait,
};
use nix::sys::signal::Signal;

/// Runs the agent with standard output that nobody reads.
fn unread(host: &Host, arguments: &str) -> Output {
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    host.command(binary())
        .arg("--bpffs")
        .arg(host.bpffs())
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .stdout(writer)
        .output()
        .expect("the agent can be run")
}

/// Panics unless that is a normal end.
fn assert_unread(host: &Host, arguments: &str) {
    let output = unread(host, arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments}: {output:?}");
}

#[test]
fn output_that_nobody_reads_is_a_normal_end() {
    let mirror = Mirror::running();
    mirror.new_server.inside(&mirror.new).set("key", b"value");
    for verb in [
        "status",
        "status --json",
        "stats",
        "stats --json",
        "stats --follow",
        "map list",
        "map list --json",
        "port list",
        "server list",
        "--version",
        "--help",
        "-h",
        "attach --help",
        "help detach",
    ] {
        assert_unread(&mirror.old, verb);
    }
    let keys = format!("keys {}:{PORT}", mirror.new.v4());
    for options in ["", " --json", " --values 10"] {
        assert_unread(&mirror.new, &format!("{keys}{options}"));
    }
    let first = mirror.old.shell(&format!(
        "{} --bpffs {} stats --follow --interval 100ms | head -1",
        binary().display(),
        mirror.old.bpffs().display()
    ));
    assert_eq!(first.lines().count(), 1, "{first}");
}

#[test]
fn what_changes_something_does_so_whether_it_is_read_or_not() {
    let mirror = Mirror::idle();
    let (old, new) = (&mirror.old, &mirror.new);
    let shown = |host: &Host, text: &str| {
        let status = host.agent_ok("status");
        assert!(status.contains(text), "{text}: {status}");
    };
    assert_unread(new, &format!("drop eth0 --port {PORT}"));
    shown(new, "11211");
    let options = format!("--map {PORT}={}:{PORT} --client 10.77.0.0/24", new.v4());
    assert_unread(old, &format!("attach eth0 {options}"));
    shown(old, &new.v4().to_string());
    assert_unread(old, "map set eth0 --sample 50%");
    shown(old, "50%");
    assert_unread(old, &format!("guard eth0 --server {}:{PORT}", new.v4()));
    shown(old, "guard");
    assert_unread(old, "detach --all");
    shown(old, "nothing is attached");

    // One that stays goes on, and detaches at the end.
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let attach = format!("attach eth0 --foreground --map {PORT}={}:{PORT}", new.v4());
    let mut agent = mirror_tests::host::Running(
        old.command(binary())
            .arg("--bpffs")
            .arg(old.bpffs())
            .args(attach.split(' '))
            .stdin(Stdio::null())
            .stdout(writer)
            .spawn()
            .expect("the agent can be run"),
    );
    old.wait_for_status("eth0");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    shown(old, "eth0");
    agent.signal(Signal::SIGTERM);
    assert!(agent.0.wait().expect("the agent ends").success());
    shown(old, "nothing is attached");
}

/// Runs a shell line with mounts of its own. `$A` is the agent, `$D` an empty directory.
fn apart(host: &Host, line: &str) -> Output {
    let directory = std::env::temp_dir().join(format!("{}-directory", host.namespace));
    std::fs::create_dir(&directory).expect("a temporary directory");
    let output = host
        .command("unshare")
        .args(["-m", "sh", "-e", "-c", line])
        .env("A", binary())
        .env("D", &directory)
        .stdin(Stdio::null())
        .output()
        .expect("unshare is installed");
    std::fs::remove_dir_all(&directory).expect("nothing is mounted there outside");
    output
}

/// The same for a line that has to succeed; what it printed, and what it warned of.
fn apart_ok(host: &Host, line: &str) -> [String; 2] {
    let output = apart(host, line);
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into());
    assert!(output.status.success(), "{line}: {texts:?}");
    texts
}

/// What is attached for these tests.
const ATTACH: &str = "attach eth0 --map 11211=10.77.0.9:11211";

#[test]
fn looking_mounts_nothing() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    for verb in ["status", "stats", "map list", "port list", "server list"] {
        let line = format!(
            "echo precious >$D/file
             $A --bpffs $D {verb}
             cat $D/file; stat -f -c %T $D; ls -A $D"
        );
        let [said, warned] = apart_ok(&host, &line);
        assert!(said.contains("precious") && !said.contains("bpf_fs"), "{verb}: {said}");
        assert!(said.ends_with("\nfile\n"), "{verb}: {said}");
        assert!(warned.contains("nothing is attached (/"), "{verb}: {warned}");
        assert!(warned.contains("is no BPF file system)"), "{verb}: {warned}");
    }
    let [said, _] = apart_ok(
        &host,
        "$A --bpffs $D detach --all; $A --bpffs $D detach eth0; stat -f -c %T $D; ls -A $D",
    );
    assert_eq!(said.matches("nothing is attached (/").count(), 2, "{said}");
    assert!(!said.contains("bpf_fs"), "{said}");
    // JSON stays JSON.
    let [said, _] = apart_ok(&host, "$A --bpffs $D status --json");
    assert!(serde_json::from_str::<serde_json::Value>(&said).is_ok(), "{said}");
    for verb in ["stats eth0", "map list eth0", "map add eth0 --map 1=10.0.0.5:1"] {
        let output = apart(&host, &format!("$A --bpffs $D {verb}"));
        assert_eq!(output.status.code(), Some(4), "{verb}: {output:?}");
    }
}

#[test]
fn nothing_is_mounted_over_what_a_directory_holds() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    for verb in [ATTACH, "drop eth0 --port 11211", "guard eth0 --server 10.77.0.9:11211"] {
        let output = apart(
            &host,
            &format!(
                "echo precious >$D/file
                 $A --bpffs $D {verb} || code=$?
                 cat $D/file; stat -f -c %T $D; ls -A $D; exit ${{code:-0}}"
            ),
        );
        let said = String::from_utf8_lossy(&output.stdout);
        let warned = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{verb}: {said} {warned}");
        assert!(said.starts_with("precious\n") && said.ends_with("\nfile\n"), "{verb}: {said}");
        assert!(warned.contains("is not empty (file is in it)"), "{verb}: {warned}");
    }
}

#[test]
fn what_was_mounted_goes_with_the_last_attachment() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let mounted = "grep -c \" $D \" /proc/self/mounts || true";
    let [said, _] = apart_ok(
        &host,
        &format!(
            "$A --bpffs $D {ATTACH} >/dev/null; $A --bpffs $D drop eth0 --port 11211 >/dev/null
             {mounted}; $A --bpffs $D status | grep -c eth0
             $A --bpffs $D detach eth0 --role target >/dev/null; {mounted}
             $A --bpffs $D detach --all >/dev/null; {mounted}; ls -A $D"
        ),
    );
    assert_eq!(said, "1\n2\n1\n0\n");
    // What fails leaves nothing mounted, either.
    let [said, _] = apart_ok(
        &host,
        &format!("! $A --bpffs $D attach eth0 --map 11211=10.77.0.1:11211; {mounted}"),
    );
    assert_eq!(said, "0\n");
    // Somebody uses it, too.
    let [said, _] = apart_ok(
        &host,
        &format!(
            "$A --bpffs $D {ATTACH} >/dev/null; mkdir $D/other
             $A --bpffs $D detach --all >/dev/null; {mounted}; ls $D | grep -v debug"
        ),
    );
    assert_eq!(said, "1\nother\n");
    // Somebody else mounted it.
    let [said, _] = apart_ok(
        &host,
        &format!(
            "mount -t bpf bpf $D; $A --bpffs $D {ATTACH} >/dev/null
             $A --bpffs $D detach --all >/dev/null; {mounted}"
        ),
    );
    assert_eq!(said, "1\n");
}

#[test]
fn pins_that_go_with_a_mount_namespace_are_warned_of() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let guard = "guard eth0 --server 10.77.0.9:11211";
    let has_program = || host.output("ip", &["link", "show", "eth0"]).contains("xdp");
    let [_, warned] = apart_ok(&host, &format!("$A --bpffs $D {guard}; $A --bpffs $D status"));
    let warning = "in a mount namespace that is not the host's";
    assert_eq!(warned.matches(warning).count(), 1, "{warned}");
    wait::until("the program to go with the shell's mounts", || (!has_program()).then_some(()));
    // One that others have, too, stays.
    let line = format!("$A --bpffs {} {guard}", host.bpffs().display());
    let [_, warned] = apart_ok(&host, &line);
    assert!(!warned.contains("mount namespace"), "{warned}");
    assert!(has_program());
}

#[test]
fn the_usual_place_stays_mounted() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    let [said, _] = apart_ok(
        &host,
        &format!(
            "while umount /sys/fs/bpf 2>/dev/null; do :; done
             $A {ATTACH} >/dev/null; $A detach --all >/dev/null; stat -f -c %T /sys/fs/bpf"
        ),
    );
    assert_eq!(said, "bpf_fs\n");
}

#[test]
fn detach_tells_a_typing_error_from_nothing_to_do() {
    let mirror = Mirror::running();
    let host = &mirror.old;
    let said = host.agent_refuses("detach etho");
    assert!(
        said.starts_with("error: there is no interface etho, and nothing is attached"),
        "{said}"
    );
    assert!(said.contains("this host has ") && said.contains("eth0"), "{said}");
    assert_eq!(host.agent_ok("detach lo"), "lo: nothing is attached\n");
    assert_eq!(host.agent_ok("detach eth0 --role target"), "eth0: no target is attached\n");
    assert_eq!(host.agent_ok("detach --all --role guard"), "no guard is attached\n");
    assert!(host.agent_refuses("detach --role source").contains("--all"));
    assert!(host.agent_refuses("detach eth0 --role queen").contains("source, target, guard"));

    host.agent_ok(&format!("guard eth0 --server {}:{PORT}", mirror.new.v4()));
    let said = host.agent_ok("detach eth0 --role guard");
    assert!(
        said.starts_with("eth0: guard detached; it ran for ") && said.ends_with("s\n"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(host.agent_ok("status").contains("source"));
    host.agent_ok(&format!("guard eth0 --server {}:{PORT}", mirror.new.v4()));
    let said = host.agent_ok("detach --all");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(host.agent_ok("detach --all"), "nothing is attached\n");
    assert_eq!(host.agent_ok("detach eth0"), "eth0: nothing is attached\n");
}

#[test]
fn exit_codes_are_those_of_the_documentation() {
    let mut lab = Lab::new();
    let host = lab.host("host");
    for (verb, code) in [
        ("status", 0),
        ("stats", 0),
        ("detach --all", 0),
        ("detach eth0", 0),
        ("detach etho", 1),
        ("attach etho --map 11211=10.77.0.9:11211", 1),
        ("attach eth0 --sample 101%", 2),
        ("statsu", 2),
        ("stats eth0", 4),
        ("map list eth0", 4),
        ("port list eth0", 4),
        ("server list eth0", 4),
        ("map add eth0 --map 11211=10.77.0.9:11211", 4),
        ("port add eth0 --port 11211", 4),
        ("server add eth0 --server 10.77.0.9:11211", 4),
    ] {
        let output = host.agent(verb);
        assert_eq!(output.status.code(), Some(code), "{verb}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.starts_with("error: "), code != 0, "{verb}: {said}");
    }
}

#[test]
fn an_interface_with_a_dot_in_its_name_is_one_like_others() {
    let mut mirror = Mirror::idle();
    mirror.lab.second_interface(&mirror.new, "eth0.100");
    mirror.new.agent_ok(&format!("drop eth0.100 --port {PORT}"));
    assert!(mirror.new.agent_ok("status").contains("eth0.100"));
    assert!(mirror.new.agent_ok("stats eth0.100").contains("eth0.100"));
    let said = mirror.new.agent_ok("detach eth0.100");
    assert!(said.starts_with("eth0.100: target detached"), "{said}");
    assert!(!mirror.new.bpffs().join("mirror-agent").exists());
}

#[test]
fn a_port_where_nothing_listens_is_a_warning() {
    let mirror = Mirror::idle();
    let target = mirror.new.v4();
    let warnings = |host: &Host, verb: &str| -> Vec<String> {
        let output = host.agent(verb);
        assert!(output.status.success(), "{verb}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        said.lines().filter(|line| line.contains("nothing listens")).map(str::to_owned).collect()
    };
    let attach = format!("attach eth0 --map {PORT}={target}:{PORT}");
    assert_eq!(warnings(&mirror.old, &attach), [""; 0]);
    let said = warnings(&mirror.old, &format!("attach eth0 --map 11998-11999={target}"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("warning: port 11998-11999: nothing listens"), "{said:?}");

    assert_eq!(warnings(&mirror.new, &format!("drop eth0 --port {PORT}")), [""; 0]);
    let said = warnings(&mirror.new, "drop eth0 --port 11999");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("warning: port 11999: nothing listens"), "{said:?}");
    // UDP is enough.
    let _socket = mirror.old.run(|| UdpSocket::bind("0.0.0.0:11997").expect("a free port"));
    let said = warnings(&mirror.old, &format!("attach eth0 --map 11997={target}"));
    assert!(said[0].starts_with("warning: port 11998-11999: nothing listens"), "{said:?}");
}

#[test]
fn the_version_says_which_layout_the_tables_have() {
    let mut lab = Lab::new();
    let said = lab.host("host").agent_ok("--version");
    let abi = mirror_common::abi::Meta::ABI;
    assert!(said.starts_with("mirror-agent 0.1.0 (ABI "), "{said}");
    assert!(said.contains(&format!("ABI {abi}")), "{said}");
}
