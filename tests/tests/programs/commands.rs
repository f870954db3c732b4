//! Commands that memcached is not given.

use mirror_tests::{
    client::frame,
    craft::{Body, Datagram, Packet},
};

use crate::{
    connection::Connection,
    place::{client, v4, v6},
    table::{Fate, Table},
    target::{PORT, Target, sealed},
};

const COMMAND: &[u8] = b"stats reset\r\n";

pub(crate) fn rows(target: &Target, table: &mut Table<'_>) {
    for server in [v4(PORT), v6(PORT)] {
        let it = Connection::new(target, server);
        it.shakes_hands(table);
        it.discarded(table, "a command", &it.data(1, COMMAND), "discarded_command");
        let it = Connection::new(target, server);
        it.discarded(table, "the first of an older one", &it.data(1, COMMAND), "discarded_command");

        let datagram = Datagram { payload: frame(7, 1, COMMAND), ..Datagram::default() };
        let packet = sealed(&Packet::new(client(server), server, Body::Udp(datagram)));
        let counts = "arrived discarded_command";
        table.row("in a datagram", &target.ingress, packet.bytes(), &Fate::Dropped, counts);
    }
}
