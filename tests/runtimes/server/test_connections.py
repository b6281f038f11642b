"""A server in a process of its own, and clients that get nowhere: too slow, too many, or not HTTP."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from lite_vton.bundle import Bundle
from tests.network_watch import network_watch
from tests.reliability.served import Files, Server, served
from tests.reliability.slow_clients import (
    KINDS,
    LONGEST,
    honest,
    silent,
    slow_body,
    slow_clients,
    slow_head,
    slow_reader,
)

pytest.importorskip("fastapi", reason="needs the extra serve")

import httpx2 as httpx

pytestmark = pytest.mark.slow

HASTY = ("--head-seconds", "1", "--window-seconds", "1")


@pytest.fixture(scope="module")
def hasty(bundle: Bundle, page: Path) -> Iterator[Server]:
    """With the descriptors that a shell on macOS gives, and without patience."""
    with served(bundle.root, page, *HASTY, descriptors=256) as server:
        yield server


def answer_of(client: socket.socket, seconds: float = 20) -> tuple[int, dict[str, str]]:
    """Status and JSON of what the server says until it closes; status 0 where it only closes."""
    client.settimeout(seconds)
    content = b""
    try:
        while piece := client.recv(65536):
            content += piece
    except ConnectionResetError:
        pass
    head, _, body = content.partition(b"\r\n\r\n")
    return (int(head.split()[1]), json.loads(body)) if head else (0, {})


def test_an_honest_client_is_answered_while_more_slow_ones_hang_on_than_there_are_descriptors(
    bundle: Bundle, page: Path, files: Files
) -> None:
    with served(bundle.root, page, descriptors=256) as server:
        honest(server.url, files)  # loads the networks
        with slow_clients(server.port, list(KINDS), 300):
            assert max(honest(server.url, files) for _ in range(3)) < LONGEST
        assert server.process.poll() is None


@pytest.mark.parametrize(
    ("client", "status", "trouble"), [(silent, 0, None), (slow_head, 408, "slow"), (slow_body, 408, "slow")]
)
def test_who_sends_nothing_or_too_slowly_is_closed(
    hasty: Server, client: type, status: int, trouble: str | None
) -> None:
    with client(hasty.port) as slow:
        began = monotonic()
        found, told = answer_of(slow)
        assert (found, told.get("trouble")) == (status, trouble)
        assert monotonic() - began < 15


def test_dripping_keeps_no_connection_open(hasty: Server) -> None:
    with slow_clients(hasty.port, ["slow head", "slow body"], 2) as clients:
        first = list(clients)
        until = monotonic() + 30
        while any(client is again for client, again in zip(first, clients, strict=True)):
            assert monotonic() < until
            sleep(0.2)


def test_who_does_not_read_is_cut_off_and_who_reads_slowly_gets_all(hasty: Server, bundle: Bundle) -> None:
    with slow_reader(hasty.port) as client:
        sleep(3)
        client.settimeout(20)
        read = 0
        try:
            while piece := client.recv(65536):
                read += len(piece)
        except ConnectionResetError:
            pass
    assert read < 100 * bundle.path("onnx-fp32/unet/model.onnx").stat().st_size
    size = bundle.path("onnx-fp32/unet/model.onnx").stat().st_size
    with httpx.stream("GET", f"{hasty.url}/bundle/onnx-fp32/unet/model.onnx", timeout=30) as answer:
        whole = 0
        for piece in answer.iter_raw(size // 20):
            whole += len(piece)
            sleep(0.1)
    assert whole == size


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 3_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 300_000 + b"\r\n",
        b"POST /api/try-on HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n",
        b"POST /api/try-on HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_told_so_as_json(hasty: Server, sent: bytes) -> None:
    with silent(hasty.port) as client:
        try:
            client.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            return  # closed while it was still sending
        status, told = answer_of(client)
    assert (status, told.get("trouble")) in ((400, "form"), (408, "slow"), (0, None)), told


def test_requests_under_way_finish_when_the_server_is_told_to_stop(
    bundle: Bundle, page: Path, files: Files, tmp_path: Path
) -> None:
    watch = network_watch(tmp_path)
    with served(bundle.root, page, "--finish-seconds", "60", environment=watch.environment) as server:
        honest(server.url, files)
        answers = started(server, files, "150", 2)
        server.process.send_signal(signal.SIGTERM)
        statuses = [answer.status_code for answer in answers()]
        assert statuses == [200, 200]
        assert server.process.wait(60) == 0
    assert all("127.0.0.1" in line or "this machine" in line for line in watch.seen()), watch.seen()


def test_requests_that_do_not_finish_in_time_are_told_so_as_json(bundle: Bundle, page: Path, files: Files) -> None:
    with served(bundle.root, page, "--finish-seconds", "0.1") as server:
        honest(server.url, files)
        with slow_body(server.port) as uploading, silent(server.port), slow_head(server.port):
            answers = started(server, files, "600", 6)
            began = monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert answer_of(uploading)[1]["trouble"] == "stopping"
            found = answers()
            late = [answer for answer in found if answer.status_code != 200]  # the first may just have been done
            assert len(late) >= 3
            assert {(answer.status_code, answer.json()["trouble"]) for answer in late} == {(503, "stopping")}
            assert server.process.wait(60) == 0
            assert monotonic() - began < 20


def started(server: Server, files: Files, steps: str, count: int) -> Callable[[], list[httpx.Response]]:
    """As many try-ons, under way; the answers, when they are called for."""
    answers: list[httpx.Response] = []

    def ask() -> None:
        data = {"steps": steps, "sampler": "ddpm"}
        answers.append(httpx.post(f"{server.url}/api/try-on", files=files, data=data, timeout=120))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    until = monotonic() + 30
    while not re.search(rf"lite_vton_queue [{max(2, count - 2)}-9]\.0", httpx.get(f"{server.url}/metrics").text):
        assert monotonic() < until
        sleep(0.05)

    def all_of_them() -> list[httpx.Response]:
        for thread in threads:
            thread.join(120)
        return answers

    return all_of_them


def test_too_few_descriptors_and_a_port_in_use_are_one_line(hasty: Server) -> None:
    code = """
import resource, sys
from pathlib import Path
from lite_vton.errors import UserError
from lite_vton_runtimes.server.listening import listen
descriptors, port = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
try:
    listen(None, "127.0.0.1", port, print)
except UserError as error:
    print(error)
"""
    for descriptors, port, said in ((64, 0, "ulimit -n"), (256, hasty.port, "--port")):
        command = [sys.executable, "-c", code, str(descriptors), str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said in done.stdout
        assert done.stdout.count("\n") == 1
