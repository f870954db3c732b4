//! The corpus of the fuzz targets, and everything that differs from it by a byte: on stable, in no time.

use std::{fs, path::Path};

use fuzz_bodies::{boundary, codec, flow, parse, seal};
use mirror_common::{
    memcached::request_start::Start,
    packet::parse::ParseError,
    target::{copy, reply},
};

/// Gives `check` the corpus of `target`, and returns what it says of each file. The file that it fails
/// for is the last that is printed.
fn replay<T>(target: &str, check: impl Fn(&[u8]) -> T) -> Vec<T> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a corpus")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    let mut met = Vec::new();
    for path in paths {
        println!("{}", path.display());
        let input = fs::read(path).expect("a file");
        met.push(check(&input));
        for at in 0..input.len() {
            check(&input[..at]);
            for change in [1, 0x10, 0x80, 0xff] {
                let mut other = input.clone();
                other[at] ^= change;
                check(&other);
            }
        }
    }
    met
}

/// Fails unless every one of `kinds` was met.
fn all_met<T: PartialEq + std::fmt::Debug>(met: &[T], kinds: &[T]) {
    for kind in kinds {
        assert!(met.contains(kind), "the corpus has no {kind:?}");
    }
}

#[test]
fn parse_corpus() {
    let met = replay("parse", parse::check);
    let wrong =
        [ParseError::NotIp, ParseError::Protocol, ParseError::Fragment, ParseError::Malformed];
    all_met(&met, &wrong.map(Err));
    let kinds: Vec<_> = met.iter().flatten().map(|found| (found.family, found.protocol)).collect();
    all_met(&kinds, &[(4, 6), (4, 17), (6, 6), (6, 17)]);
}

#[test]
fn boundary_corpus() {
    all_met(&replay("boundary", boundary::check), &[Start::None, Start::Text, Start::Binary]);
}

#[test]
fn seal_corpus() {
    use seal::Met;
    let kinds = [Met::Tcp, Met::Urgent, Met::Udp, Met::UdpUnsummed];
    all_met(&replay("seal", seal::check), &kinds);
}

#[test]
fn flow_corpus() {
    use {copy::Action as Copy, reply::Action as Reply};
    let met = replay("flow", flow::check);
    let copies: Vec<_> = met.iter().flat_map(|met| met.copies.clone()).collect();
    let replies: Vec<_> = met.iter().flat_map(|met| met.replies.clone()).collect();
    all_met(
        &copies,
        &[
            Copy::Open,
            Copy::OpenAgain,
            Copy::ForgetSocket,
            Copy::Deliver,
            Copy::DeliverLast,
            Copy::Abort,
            Copy::Adopt,
            Copy::Requeue,
            Copy::ResetFirst,
            Copy::Hold,
            Copy::Discard,
            Copy::Forget,
        ],
    );
    all_met(
        &replies,
        &[
            // `Reply::Pass` is a direct client's; the honest server is the synthetic client's.
            Reply::DropData,
            Reply::DropAck,
            Reply::DropReset,
            Reply::Reflect,
            Reply::ReflectLast,
        ],
    );
}

#[test]
fn codec_corpus() {
    use codec::Met;
    let met: Vec<Met> = replay("codec", codec::check).concat();
    let kinds = [
        Met::Listed,
        Met::Hit,
        Met::Event,
        Met::Skipped,
        Met::Meta,
        Met::Value,
        Met::Classic,
        Met::Error,
        Met::Nothing,
    ];
    all_met(&met, &kinds);
}
