"""Whatever is sent, the answer is JSON with a line and a word, never a trace and never the server's own error."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lite_vton.photo.files import PHOTO_FORMATS
from tests.reliability.served import Files
from tests.runtimes.server.conftest import Serve

pytestmark = pytest.mark.slow

pytest.importorskip("fastapi", reason="needs the extra serve")

REFUSED = (400, 413, 415, 422)


def check(answer: Any, *statuses: int) -> None:
    assert answer.status_code in (statuses or REFUSED), (answer.status_code, answer.text[:300])
    assert set(answer.json()) == {"error", "trouble"}
    assert "Traceback" not in answer.text
    assert "\n" not in answer.json()["error"]
    assert len(answer.json()["error"]) < 400, "what was sent is not sent back whole"


@pytest.mark.parametrize("kind", PHOTO_FORMATS)
def test_damaged_photos_of_every_format_are_refused(serve: Serve, files: Files, kind: str) -> None:
    """What can still be read is refused for the keypoints, which are looked at next."""
    client = serve().client
    with Image.open(io.BytesIO(files["garment"][1])) as image:
        content = io.BytesIO()
        image.resize((96, 128)).save(content, kind)
    good = content.getvalue()
    random = np.random.default_rng(0)
    for count in range(24):
        bad = np.frombuffer(good, np.uint8).copy()
        at = random.integers(0, min(len(bad), 400 if count % 2 else len(bad)), 6)
        bad[at] = random.integers(0, 256, 6)
        whole = bad.tobytes()[: len(bad) // 2 if count % 4 == 3 else len(bad)]
        sent = {**files, "garment": (f"garment.{kind}", whole), "keypoints": ("k.json", b"{}")}
        check(client.post("/api/prepare", files=sent))


NAMES = ["../../etc/passwd", "C:\\x", "/dev/zero", "a" * 4000, "\x00", "é\u202e", "person.exe", ""]


@pytest.mark.parametrize("name", NAMES)
def test_a_files_name_means_nothing(serve: Serve, files: Files, name: str) -> None:
    answer = serve().client.post("/api/prepare", files={**files, "person": (name, files["person"][1])})
    if answer.status_code != 200:
        check(answer)


@pytest.mark.parametrize(
    "keypoints",
    [
        b"",
        b"null",
        b"[]",
        b"[1, 2",
        b'"text"',
        b"1e999",
        b"\xff\xfe{\x00}\x00",
        b"[" * 100_000,
        b'{"people": "none"}',
        b'{"people": []}',
        b'{"people": [1]}',
        b'{"people": [{"pose_keypoints_2d": [1, 2]}]}',
        b'{"people": [{"pose_keypoints_2d": ["a"]}]}',
        json.dumps({"people": [{"pose_keypoints_2d": [float("nan")] * 75}]}).encode(),
        json.dumps({"people": [{"pose_keypoints_2d": [1e300] * 75}]}).encode(),
        json.dumps({"people": [{"pose_keypoints_2d": [10**400] * 75}]}).encode(),
        json.dumps({"people": [{"pose_keypoints_2d": [-5.0, -5.0, 1.0] * 25}]}).encode(),
    ],
)
def test_keypoints_that_are_none_are_refused(serve: Serve, files: Files, keypoints: bytes) -> None:
    check(serve().client.post("/api/prepare", files={**files, "keypoints": ("k.json", keypoints)}))


@pytest.mark.parametrize(
    "fields",
    [
        {"steps": "1e3"},
        {"steps": "9" * 900},
        {"seed": "18446744073709551616"},
        {"seed": "nan"},
        {"seed": "٣"},
        {"person_index": "-1"},
        {"person_index": "999"},
        {"category": "upper\x00"},
        {"category": "x" * 100_000},
        {"backend": "../torch"},
        {"precision": "\udcff"},
        {"__class__": "x"},
        {f"field{i}": "x" for i in range(1000)},
    ],
)
def test_fields_that_are_wrong_or_too_many_or_huge_are_refused(serve: Serve, files: Files, fields: Any) -> None:
    sent = {name: value.encode("utf-8", "surrogatepass").decode("latin-1") for name, value in fields.items()}
    check(serve().client.post("/api/try-on", files=files, data=sent))


def part(name: str, content: bytes = b"x", more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"


BOMBS = {
    "thousands of parts": b"".join(part(f"f{i}") for i in range(5000)) + b"--b--\r\n",
    "thousands of files": b"".join(part(f"f{i}", more='; filename="x"') for i in range(5000)) + b"--b--\r\n",
    "a head of megabytes": b"--b\r\nX: " + b"a" * 4_000_000 + b"\r\n\r\nx\r\n--b--\r\n",
    "thousands of heads": b"--b\r\n" + b"X: a\r\n" * 50_000 + b"\r\nx\r\n--b--\r\n",
    "a name of megabytes": part("n" * 3_000_000) + b"--b--\r\n",
    "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    "no disposition": b"--b\r\n\r\nx\r\n--b--\r\n",
    "cut off": part("person", b"x" * 100, '; filename="x"')[:-30],
    "only boundaries": b"--b\r\n" * 1000,
    "no boundary at all": b"x" * 100_000,
    "nothing": b"",
    "a form in a form": part("person", part("garment"), '; filename="x"') + b"--b--\r\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_forms_that_are_bombs_are_refused(serve: Serve, bomb: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b"}
    check(serve().client.post("/api/try-on", content=BOMBS[bomb], headers=headers))


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 5000,
        "multipart/form-data-not; boundary=b",
        "application/json",
        "application/x-www-form-urlencoded",
        *(f"multipart/form-data; boundary=b; charset={each}" for each in ("rot13", "undefined", "idna", "hex", "?")),
    ],
)
def test_content_types_that_are_none_are_refused(serve: Serve, kind: str) -> None:
    content = part("category", b"\xff\xfe..x" * 30) + part("person", b"x", '; filename="\xff"') + b"--b--\r\n"
    check(serve().client.post("/api/prepare", content=content, headers={"content-type": kind}))


def test_content_types_are_known_in_any_case(serve: Serve, files: Files) -> None:
    client = serve().client
    request = client.build_request("POST", "/api/prepare", files=files)
    for known in ("Multipart/Form-Data;  Boundary", "MULTIPART/FORM-DATA ;BOUNDARY"):
        kind = request.headers["content-type"].replace("multipart/form-data; boundary", known)
        answer = client.post("/api/prepare", content=request.read(), headers={"content-type": kind})
        assert answer.status_code == 200, answer.text


def test_a_wrong_method_is_told_which_are_right(serve: Serve) -> None:
    client = serve().client
    allowed = {
        "/api/models": "GET, HEAD",
        "/healthz": "GET, HEAD",
        "/metrics": "GET, HEAD",
        "/bundle/manifest.json": "GET, HEAD",
        "/api/prepare": "POST",
        "/api/try-on": "POST",
        "/api/paste": "POST",
    }
    for path, methods in allowed.items():
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
            if method in methods:
                continue
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, methods), (method, path)
            if method != "HEAD":
                check(answer, 405)
    check(client.post("/"), 405)
    for path in ("/nothing", "/api/nothing", "/api/models/", "/docs/nothing", "/ort/nothing", "/%00", "/" + "a" * 9000):
        check(client.get(path), 404)
    assert client.head("/healthz").status_code == client.head("/bundle/manifest.json").status_code == 200
