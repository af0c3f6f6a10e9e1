"""`python -m qdrant_front --host 127.0.0.1 --port 6333 --data DIR [--api-key KEY [--read-only-api-key KEY]]`

The keys are better given as a real server takes them, in QDRANT__SERVICE__API_KEY and QDRANT__SERVICE__READ_ONLY_API_KEY:
every user of the machine can read a command line.

Prints one line with its address when it serves; port 0 takes a free port. SIGTERM and SIGINT finish the requests under
way, flush and leave with status 0.
"""

import argparse
import asyncio
import fcntl
import os
import signal
import socket
import sys

import uvicorn

from .app import Front
from .filters import assert_boolean_matches


def main():
    arguments = _arguments()
    assert_boolean_matches()
    os.makedirs(arguments.data, exist_ok=True)
    data = os.path.abspath(arguments.data)
    lock = _lock(data)
    listener = _listen(arguments.host, arguments.port)
    front = Front(data, arguments.api_key or None, arguments.read_only_api_key or None)
    config = uvicorn.Config(
        front,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    asyncio.run(_serve(uvicorn.Server(config), listener))
    os.close(lock)


def _arguments():
    parser = argparse.ArgumentParser(prog="qdrant_front", description="A local stand-in for a Qdrant server.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333, help="0 takes a free port")
    parser.add_argument("--data", required=True, metavar="DIR")
    key, read_only_key = (os.environ.get(f"QDRANT__SERVICE__{name}API_KEY") for name in ("", "READ_ONLY_"))
    parser.add_argument("--api-key", metavar="KEY", default=key, help="refuse requests without this key")
    parser.add_argument("--read-only-api-key", metavar="KEY", default=read_only_key, help="a second key, only to read")
    return parser.parse_args()


def _lock(data):
    """A second process on the same folder would truncate the first one's registry."""
    lock = os.open(os.path.join(data, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"qdrant_front: another process serves {data}")
    return lock


def _listen(host, port):
    # With the protocol left at 0, asyncio does not switch Nagle's algorithm off, and a reply takes 40 ms instead of 2.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.exit(f"qdrant_front: cannot listen on {host}:{port}: {error.strerror}")
    return listener


async def _serve(server, listener):
    """uvicorn raises the signal again after its shutdown, which would turn an orderly end into a failure."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    announcement = asyncio.create_task(_announce(server, listener))
    # `_serve` is `serve` without uvicorn's own signal handlers.
    await server._serve([listener])
    announcement.cancel()


async def _announce(server, listener):
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = listener.getsockname()[:2]
    print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


if __name__ == "__main__":
    main()
