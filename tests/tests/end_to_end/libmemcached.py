"""Drives libmemcached, in every way of sending that it has, through its Python binding.

Arguments: servers, which are addresses of one and the same.
"""

import itertools
import sys

import pylibmc

BEHAVIORS = {
    "plain": {},
    "nodelay": {"tcp_nodelay": True, "no_block": True},
    "cas": {"cas": True},
    "noreply": {"_noreply": True},
    "buffered": {"buffer_requests": True},
    "pipelined": {"buffer_requests": True, "_noreply": True, "no_block": True, "tcp_nodelay": True},
}
# memcached's limit for an item is 1 MiB, with the key and the item's own header in it.
LARGE = 1024 * 1024 - 512
# In seconds since 1970 (January 2038), which both servers' clocks make the same of.
EXPIRES = 2_147_000_000
# What libmemcached says when it put a request into its buffer, which the binding takes for an error.
BUFFERED = "error 32 "


def work(client, prefix, behaviors):
    """Stores, changes and deletes; checks what comes back where libmemcached waits for replies."""
    buffers = "buffer_requests" in behaviors
    silent = "_noreply" in behaviors

    def write(method, *arguments, want=True):
        try:
            result = getattr(client, method)(*arguments)
        except pylibmc.NotFound:
            result = False
        except pylibmc.Error as error:
            if not (buffers and BUFFERED in str(error)):
                raise
            return
        assert buffers or silent or result == want, (prefix, method, arguments, result)

    def read(key, want):
        value = client.get(f"{prefix}-{key}")
        assert value == want, (prefix, key, value)

    many = {f"{prefix}-many{i}": b"m" * i for i in range(200)}
    if buffers:
        for key, value in many.items():
            write("set", key, value)
    else:
        assert client.set_multi(many) == []
    assert client.get_multi(list(many)) == many, prefix
    for length in (1, 1400, 8192, 65536, LARGE):
        value = bytes(i % 251 for i in range(length % 1000)) + b"x" * (length - length % 1000)
        write("set", f"{prefix}-large{length}", value)
        read(f"large{length}", value)

    write("set", f"{prefix}-text", b"middle")
    write("append", f"{prefix}-text", b" end")
    write("prepend", f"{prefix}-text", b"start ")
    read("text", b"start middle end")
    write("add", f"{prefix}-text", b"is there", want=False)
    write("add", f"{prefix}-added", b"new")
    write("replace", f"{prefix}-added", b"newer")
    write("replace", f"{prefix}-nothing", b"is not there", want=False)
    read("added", b"newer")
    read("nothing", None)

    write("set", f"{prefix}-number", 40)
    write("incr", f"{prefix}-number", 5, want=45)
    write("decr", f"{prefix}-number", 3, want=42)
    read("number", 42)
    if behaviors.get("cas"):
        value, unique = client.gets(f"{prefix}-text")
        assert value == b"start middle end" and unique
    if not silent:
        # libmemcached waits for the reply that it asked memcached not to send.
        write("touch", f"{prefix}-text", EXPIRES)
        write("touch", f"{prefix}-nothing", EXPIRES, want=False)

    if buffers:
        for i in range(100):
            write("delete", f"{prefix}-many{i}")
    else:
        assert client.delete_multi(list(many)[:100])
    assert client.get_multi(list(many)) == dict(list(many.items())[100:]), prefix


for (number, server), binary in itertools.product(enumerate(sys.argv[1:]), (False, True)):
    for name, behaviors in BEHAVIORS.items():
        client = pylibmc.Client([server], binary=binary, behaviors=behaviors)
        work(client, f"{name}-{'binary' if binary else 'text'}-{number}", behaviors)
        client.disconnect_all()
