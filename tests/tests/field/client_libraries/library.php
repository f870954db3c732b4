<?php
// php-memcached with its defaults: arguments are the server's address and port, and a name for keys. Says "ready" when one connection is
// there, waits for a line, and works on that and on another connection.

function check(bool $holds, string $what): void {
    if (!$holds) {
        fwrite(STDERR, "$what\n");
        exit(1);
    }
}

function connect(array $server): Memcached {
    $client = new Memcached();
    check($client->addServer($server[1], (int) $server[2]), 'a server is added');
    return $client;
}

function work(Memcached $client, string $name): void {
    for ($i = 0; $i < 50; $i++) {
        check($client->set("$name-$i", str_repeat("value $i ", 1 + $i * $i)), "set $i");
    }
    check($client->set("$name-large", str_repeat('0123456789abcdef', 12500)), 'set a large value');
    for ($i = 0; $i < 50; $i += 5) {
        check($client->get("$name-$i") === str_repeat("value $i ", 1 + $i * $i), "get $i");
        check($client->delete("$name-$i"), "delete $i");
    }
    $many = [];
    for ($i = 0; $i < 100; $i++) {
        $many["$name-many-$i"] = ['number' => $i, 'text' => str_repeat('x', $i)];
    }
    check($client->setMulti($many), 'set many');
    check($client->getMulti(array_keys($many)) == $many, 'get many');
    check(count($client->deleteMulti(array_slice(array_keys($many), 0, 10))) === 10, 'delete many');
    check($client->set("$name-count", 5), 'set a number');
    check($client->increment("$name-count", 3) === 8, 'increment');
    check(!$client->add("$name-count", 1), 'add what is there');
    check($client->getDelayed(array_keys($many)), 'ask for many');
    check(count($client->fetchAll()) === 90, 'fetch them');
}

$older = connect($argv);
check($older->set('before', 1) && $older->delete('before'), 'the first connection');
echo "ready\n";
fgets(STDIN);
$older->get('nothing');
work($older, "$argv[3]-older");
work(connect($argv), "$argv[3]-fresh");
