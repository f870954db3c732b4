"""pymemcache or pylibmc with their defaults: arguments are the server's address and port, and which of them. Says "ready"
when one connection is there, waits for a line, and works on that and on another connection."""

import sys

host, port, library = sys.argv[1:]


def connect():
    if library == "pymemcache":
        import pymemcache

        return pymemcache.Client((host, int(port)))
    import pylibmc

    return pylibmc.Client([f"{host}:{port}"])


def work(client, name):
    # What a library calls its methods, as far as they differ.
    set_many = getattr(client, "set_many", None) or client.set_multi
    get_many = getattr(client, "get_many", None) or client.get_multi
    delete_many = getattr(client, "delete_many", None) or client.delete_multi
    for i in range(50):
        assert client.set(f"{name}-{i}", b"value %d " % i * (1 + i * i))
    assert client.set(f"{name}-large", b"0123456789abcdef" * 12500)
    for i in range(0, 50, 5):
        assert client.get(f"{name}-{i}") == b"value %d " % i * (1 + i * i)
        assert client.delete(f"{name}-{i}")
    many = {f"{name}-many-{i}": b"x" * (1 + i) for i in range(100)}
    assert not set_many(many)
    assert get_many(list(many)) == many
    assert delete_many(list(many)[:10])
    assert len(get_many(list(many))) == 90
    assert client.set(f"{name}-count", "5" if library == "pymemcache" else 5)
    assert client.incr(f"{name}-count", 3) == 8
    # Without a reply, pymemcache takes it for done.
    client.add(f"{name}-count", "1")
    assert client.get(f"{name}-large") is not None


older = connect()
older.set("before", b"1")
older.delete("before")
older.get("before")
print("ready", flush=True)
sys.stdin.readline()
older.get("nothing")
work(older, f"{library}-older")
work(connect(), f"{library}-fresh")
