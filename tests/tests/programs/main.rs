//! The kernel programs by themselves: packet in, packet out, verdict, mark and counters.
//!
//! The real programs, attached by the real command line, are given packets made by hand
//! (`BPF_PROG_TEST_RUN`), on a host where nothing else happens. What is expected is made by hand as well
//! (`mirror_tests::craft`, `mirror_tests::sealed`), never with the mirror's own code.
//!
//! The kernel carries out what a program does to the packet and to maps, and clones are really sent. It
//! does not carry out the verdict: a packet that is redirected, or goes on, ends there. What rows cannot
//! do, and other tests have to:
//!
//! * A frame of less than 14 bytes cannot be made, and an IP packet shorter than its IP header is taken
//!   only at ingress, where it arrives over a wire.
//! * The outermost VLAN tag is in the packet, never in the `skb` as network cards leave it (`packets.rs`
//!   sends tagged frames over a wire).
//! * There is no hardware checksum (`CHECKSUM_COMPLETE`, `CHECKSUM_PARTIAL`), and packets are smaller than
//!   a page: no jumbo frames, no super-packets but by a number that says so (`packets.rs`).
//!
//! Time passes by rewriting when something last happened to a connection (`mirror_tests::flows`). What has
//! to happen at once, such as a copy of a copy within 40 ms, is left to the tests of `mirror_common::target::copy`.
//!
//! Each table ends with a check that its rows moved every counter there is, but those in `NOT_REACHED`.
//! Ways to end that share their counter with another, or have none, and that no row takes:
//!
//! | where | what | counter |
//! |---|---|---|
//! | `counters.rs`, `target/maps.rs` (`work`) | an array without its only entry | none, `ingress_other` |
//! | `source/rewrite.rs` | no memory to write a packet that was read | `failed_rewrite` |
//! | `source/next_hop.rs` (`Way::NotAsked`) | a copy device that does not forward | `sent` |
//! | `target/egress.rs` (`reflect`) | no memory | `reply_dropped_malformed` |
//! | `target/egress.rs` (`Action::Pass`) | a flow that turned real between two looks at it | `direct_out` |
//! | `target/tcp_copy.rs` (`pass_synthesized`), `target/evict.rs` (`reset`) | no memory | that of the copy, still on its way |
//! | `target/tcp_copy.rs` (`find`), `target/evict.rs` | a flow that another CPU ended meanwhile | `discarded_table_full` |

mod adoption;
mod chosen;
mod commands;
mod connection;
mod connections;
mod direct_clients;
mod error_replies;
mod errors;
mod evicted;
mod fragments;
mod inspection;
mod late;
mod lines;
mod marks;
mod multipath;
mod narrow;
mod pieces;
mod place;
mod redundant;
mod several;
mod shapes;
mod source;
mod source_copies;
mod source_ingress;
mod source_lies;
mod source_mac;
mod synthetic_client;
mod table;
mod taken;
mod target;
mod target_egress;
mod target_ingress;
mod teardown;
mod truncated;
mod unusual;
mod waiting;
mod way_back;
