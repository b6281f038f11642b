"""Memory of a server over many requests: `python -m tests.reliability.requests --count 1000`.

Half of them are dressed, half go wrong in every way in turn. Prints the server's resident memory over time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import httpx2 as httpx
import psutil

from tests.reliability.served import Files, Server, served, tiny_bundle

MEGABYTES = 30.0
"""What the server may grow by after its first tenth."""


def resident(server: Server) -> float:
    """Megabytes that are its own: pages of mapped files come and go with what else the machine does."""
    memory = psutil.Process(server.process.pid).memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / 1e6


def bad_requests(files: Files) -> list[tuple[str, str, dict[str, object]]]:
    """Method, path and what is sent."""
    person = files["person"][1]
    cut, none = ("p.jpg", person[: len(person) // 2]), ("p.jpg", b"none")
    return [
        ("POST", "/api/try-on", {"files": {**files, "person": cut}}),
        ("POST", "/api/try-on", {"files": {**files, "garment": none}}),
        ("POST", "/api/try-on", {"files": {**files, "keypoints": ("k.json", b"{}")}}),
        ("POST", "/api/try-on", {"files": files, "data": {"steps": "none"}}),
        ("POST", "/api/prepare", {"json": {}}),
        ("PUT", "/api/try-on", {"files": files}),
        ("GET", "/nothing", {}),
    ]


def memory(server: Server, files: Files, count: int) -> Iterator[float]:
    """Resident memory in megabytes after each tenth of `count` requests; every photo differs by its last byte."""
    bad = bad_requests(files)
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for i in range(1, count + 1):
            if i % 2:
                name, person = files["person"]
                mine = {**files, "person": (name, person + i.to_bytes(4, "big"))}
                answer = client.post("/api/try-on", files=mine, data={"steps": "1", "seed": str(i)})
                assert answer.status_code == 200, answer.text
            else:
                method, path, sent = bad[i // 2 % len(bad)]
                answer = client.request(method, path, **sent)  # type: ignore[arg-type]
                assert 400 <= answer.status_code < 500, answer.text
                assert set(answer.json()) == {"error", "trouble"}
            if i % max(1, count // 10) == 0:
                yield resident(server)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    with tiny_bundle() as (bundle, page, files), served(bundle, page) as server:
        found = []
        for tenth, megabytes in enumerate(memory(server, files, given.count), 1):
            print(f"{tenth * (given.count // 10):6d} requests: {megabytes:.1f} MB", flush=True)
            found.append(megabytes)
    grown = max(found[1:]) - found[0]
    print(
        f"{'held' if grown < MEGABYTES else 'not held'}: {grown:+.1f} MB after the first tenth, at most {MEGABYTES:g}"
    )
    return 0 if grown < MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
