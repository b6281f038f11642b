"""How long an honest client waits while slow ones hang on: `python -m tests.reliability.slow_clients --clients 200`.

Slow in five ways in turn: connected and silent, a head byte by byte, a body byte by byte, an answer that is never read,
an idle connection after an answer.
"""

from __future__ import annotations

import argparse
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import httpx2 as httpx

from tests.reliability.served import Files, served, tiny_bundle

LONGEST = 5.0  # seconds that an honest client may wait


def silent(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def slow_head(port: int) -> socket.socket:
    client = silent(port)
    client.sendall(b"GET /api/models HTTP/1.1\r\nHost: localhost\r\nX: ")
    return client


def slow_body(port: int) -> socket.socket:
    client = silent(port)
    client.sendall(
        b"POST /api/try-on HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        b'Content-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="person"; filename="p"\r\n\r\n'
    )
    return client


def slow_reader(port: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(10)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /bundle/onnx-fp32/unet/model.onnx HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
    return client


def idler(port: int) -> socket.socket:
    client = silent(port)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    client.recv(4096)
    return client


KINDS: dict[str, Callable[[int], socket.socket]] = {
    "silent": silent,
    "slow head": slow_head,
    "slow body": slow_body,
    "slow reader": slow_reader,
    "idler": idler,
}
DRIP = ("slow head", "slow body")


@contextmanager
def slow_clients(port: int, kinds: list[str], count: int) -> Iterator[list[socket.socket]]:
    """`count` of them, the kinds in turn. Whoever drips sends a byte a second; one that is closed comes back."""
    names = [kinds[i % len(kinds)] for i in range(count)]
    clients = [KINDS[name](port) for name in names]
    done = threading.Event()

    def drip() -> None:
        while not done.wait(1):
            for i, name in enumerate(names):
                try:
                    if name in DRIP:
                        clients[i].sendall(b"x")
                    elif name == "silent":
                        clients[i].setblocking(False)
                        if clients[i].recv(1) == b"":
                            raise ConnectionResetError
                except BlockingIOError:
                    continue
                except OSError:
                    clients[i].close()
                    try:
                        clients[i] = KINDS[name](port)
                    except OSError:
                        continue

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield clients
    finally:
        done.set()
        thread.join(30)
        for client in clients:
            client.close()


def honest(url: str, files: Files) -> float:
    """Seconds until a try-on of one step is answered."""
    began = monotonic()
    answer = httpx.post(f"{url}/api/try-on", files=files, data={"steps": "1"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30, help="how long they hang on")
    parser.add_argument("--descriptors", type=int, default=0, help="what the server may open; 0: as many as here")
    given = parser.parse_args()
    slowest = 0.0
    with tiny_bundle() as (bundle, page, files), served(bundle, page, descriptors=given.descriptors) as server:
        print(f"alone: {honest(server.url, files):.2f} s, then {honest(server.url, files):.2f} s")
        for kinds in [*([kind] for kind in KINDS), list(KINDS)]:
            with slow_clients(server.port, kinds, given.clients):
                until = monotonic() + given.seconds
                seconds = []
                while monotonic() < until:
                    seconds.append(honest(server.url, files))
                    sleep(0.5)
            slowest = max(slowest, *seconds)
            shown = "all kinds" if len(kinds) > 1 else kinds[0]
            print(
                f"{given.clients} x {shown}: {len(seconds)} honest clients, the slowest {max(seconds):.2f} s",
                flush=True,
            )
        assert server.process.poll() is None, "the server has ended"
    print(f"{'held' if slowest < LONGEST else 'not held'}: {slowest:.2f} s, at most {LONGEST:g}")
    return 0 if slowest < LONGEST else 1


if __name__ == "__main__":
    sys.exit(main())
