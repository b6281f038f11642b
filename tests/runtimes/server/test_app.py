"""The server's calls: what they answer to good photos, and to every kind of bad one."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lite_vton import TryOn
from lite_vton.category import Category
from lite_vton.tryon.inputs import TryOnInputs
from tests.reliability.served import Files
from tests.runtimes.server.conftest import Serve, as_bmp

pytestmark = pytest.mark.slow

pytest.importorskip("fastapi", reason="needs the extra serve")


def picture_of(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_try_on_is_as_large_as_the_photo_and_changes_only_what_is_repainted(serve: Serve, files: Files) -> None:
    answer = serve().client.post("/api/try-on", files=files, data={"seed": "3", "steps": "2"})
    assert answer.status_code == 200, answer.text
    before, after = picture_of(files["person"][1]), picture_of(answer.content)
    assert before.shape == after.shape
    changed = (before != after).any(axis=2)
    assert 0.02 < changed.mean() < 0.8
    assert "run;dur=" in answer.headers["server-timing"]


def test_what_a_browser_samples_of_the_prepared_arrays_is_pasted_to_the_servers_own_picture(
    serve: Serve, files: Files
) -> None:
    served = serve()
    prepared = served.client.post("/api/prepare", files=files)
    with np.load(io.BytesIO(prepared.content)) as arrays:
        inputs = TryOnInputs(**{k.removeprefix("inputs."): arrays[k] for k in arrays if k.startswith("inputs.")})
        assert arrays["preview.warp"].shape == arrays["preview.pose"].shape == (*arrays["preview.mask"].shape, 3)
    with TryOn(served.bundle) as model:
        picture = model(inputs, seed=5).picture
    pasted = served.client.post("/api/paste", files={**files, "picture": ("picture", picture.tobytes())})
    direct = served.client.post("/api/try-on", files=files, data={"seed": "5"})
    assert pasted.status_code == direct.status_code == 200
    assert pasted.content == direct.content


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(serve: Serve, files: Files) -> None:
    client = serve().client
    once, again, other = (client.post("/api/try-on", files=files, data={"seed": s}).content for s in "778")
    assert once == again != other


def test_every_category_of_garment_is_one_here_too(serve: Serve, files: Files) -> None:
    client = serve().client
    for category in get_args(Category):
        answer = client.post("/api/prepare", files=files, data={"category": category})
        # Whoever is drawn without knees can wear no trousers; that is the photo's fault, not the form's.
        assert answer.status_code == 200 or answer.json()["trouble"] == "photo", answer.text


def test_the_choices_are_told(serve: Serve) -> None:
    told = serve().client.get("/api/models").json()
    assert told["server"] == [{"backend": "onnxruntime", "precision": "fp32"}]
    assert "fp32" in told["browser"]


def jpeg(size: tuple[int, int] = (192, 256), **options: Any) -> bytes:
    content = io.BytesIO()
    mode = options.pop("mode", "RGB")
    Image.new(mode, size, options.pop("colour", None)).save(content, options.pop("format", "JPEG"), **options)
    return content.getvalue()


BAD_PHOTOS = {
    "empty": (lambda _: b"", 415, "not-a-photo"),
    "truncated": (lambda good: good[: len(good) // 2], 415, "not-a-photo"),
    "not an image": (lambda _: b"%PDF-1.7 this is no photo", 415, "not-a-photo"),
    "a program in another language": (
        lambda _: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n",
        415,
        "not-a-photo",
    ),
    "huge": (lambda _: jpeg((9000, 9000), format="PNG", mode="1"), 413, "too-large"),
    "tiny": (lambda _: jpeg((20, 20)), 422, "photo"),
}


@pytest.mark.parametrize("kind", BAD_PHOTOS)
@pytest.mark.parametrize("which", ["person", "garment"])
def test_a_photo_that_will_not_do_is_refused_in_one_line(serve: Serve, files: Files, kind: str, which: str) -> None:
    make, status, trouble = BAD_PHOTOS[kind]
    answer = serve().client.post("/api/prepare", files={**files, which: ("photo.jpg", make(files[which][1]))})
    told = answer.json()
    assert (answer.status_code, told["trouble"]) == (status, trouble), told
    assert told["error"].startswith(f"the photo of the {which} ")
    assert "\n" not in told["error"]


def resaved(kind: str) -> Callable[[bytes], bytes]:
    def save(good: bytes) -> bytes:
        content = io.BytesIO()
        with Image.open(io.BytesIO(good)) as image:
            if kind == "animated":
                image.save(content, "GIF", save_all=True, append_images=[Image.new("RGB", image.size)])
            elif kind == "CMYK":
                image.convert("CMYK").save(content, "JPEG")
            elif kind == "16 bit":
                grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
                Image.fromarray(grey).save(content, "PNG")
            elif kind == "transparent":
                image.convert("RGBA").save(content, "PNG")
            elif kind == "EXIF-rotated":
                exif = Image.Exif()
                exif[0x0112] = 6
                image.rotate(90, expand=True).save(content, "JPEG", exif=exif)
            else:
                image.save(content, "PNG")
        return content.getvalue()

    return save


@pytest.mark.parametrize("kind", ["animated", "CMYK", "16 bit", "transparent", "EXIF-rotated", "wrong suffix"])
def test_unusual_photos_are_dressed_upright_and_at_their_size(serve: Serve, files: Files, kind: str) -> None:
    person = resaved(kind)(files["person"][1])
    answer = serve().client.post("/api/try-on", files={**files, "person": ("photo.jpg", person)}, data={"steps": "1"})
    assert answer.status_code == 200, answer.text
    assert picture_of(answer.content).shape == picture_of(files["person"][1]).shape


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"steps": "0"}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"seed": "-1"}, "seed"),
        ({"sampler": "magic"}, "sampler"),
        ({"backend": "abacus"}, "abacus"),
        ({"precision": "fp3"}, "fp3"),
        ({"category": "hat"}, "category"),
        ({"stpes": "4"}, "stpes"),
    ],
)
def test_options_that_do_not_fit_are_named(serve: Serve, files: Files, fields: dict[str, str], said: str) -> None:
    answer = serve().client.post("/api/try-on", files=files, data=fields)
    assert (answer.status_code, answer.json()["trouble"]) == (400, "options")
    assert said in answer.json()["error"]


def test_forms_that_are_none_are_refused(serve: Serve, files: Files) -> None:
    client = serve().client
    for sent in ({"json": {}}, {"data": {"person": "me"}}, {"files": {"person": files["person"]}}, {}):
        answer = client.post("/api/prepare", **sent)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["trouble"]) == (400, "form"), sent
    cut = client.post("/api/prepare", content=b"--x\r\n", headers={"content-type": "multipart/form-data"})
    assert (cut.status_code, cut.json()["trouble"]) == (400, "form")
    for name, content in (("keypoints", b"{}"), ("parse", b"no png"), ("garment_mask", b"no png")):
        answer = client.post("/api/prepare", files={**files, name: ("file", content)})
        assert answer.status_code in (415, 422), answer.text


def test_too_many_bytes_are_refused_whether_or_not_they_are_announced(serve: Serve, files: Files) -> None:
    client = serve(upload_bytes=1000).client
    answer = client.post("/api/prepare", files=files)
    assert (answer.status_code, answer.json()["trouble"]) == (413, "too-large")
    pieces = (b"x" * 500 for _ in range(10))
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/api/prepare", content=pieces, headers=headers)
    assert answer.status_code in (400, 413)


def test_a_request_ends_when_its_time_is_over(serve: Serve, files: Files) -> None:
    client = serve(seconds=0.15).client
    answer = client.post("/api/try-on", files=files, data={"steps": "600", "sampler": "ddpm"})
    assert (answer.status_code, answer.json()["trouble"]) == (504, "out-of-time")


def test_uploads_reach_no_disk_unless_asked(
    serve: Serve, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))  # where a spooled file would fail to go
    large = {**files, "person": ("me.bmp", as_bmp(files["person"][1]))}
    assert serve().client.post("/api/try-on", files=large, data={"steps": "1"}).status_code == 200
    kept = tmp_path / "kept"
    kept.mkdir()
    serve(kept).client.post("/api/try-on", files=files, data={"steps": "1"})
    assert sorted(path.name.split("-")[-1] for path in kept.iterdir()) == ["garment.png", "person.png", "result.png"]


def test_only_listed_files_of_the_bundle_are_served(serve: Serve) -> None:
    served = serve()
    (served.bundle.root / "secret.txt").write_text("not listed")
    manifest = served.client.get("/bundle/manifest.json")
    assert manifest.json()["kind"] == "lite-vton-bundle"
    for path in ("secret.txt", "../tiny/manifest.json", "%2e%2e/secret.txt", "onnx-fp32", "", "/etc/passwd"):
        answer = served.client.get(f"/bundle/{path}")
        assert answer.status_code == 404, path
        assert answer.json()["trouble"] == "gone"


def test_every_answer_isolates_the_page(serve: Serve) -> None:
    client = serve().client
    for path in ("/", "/api/models", "/bundle/manifest.json", "/nothing"):
        headers = client.get(path).headers
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_strangers_are_refused(serve: Serve) -> None:
    client = serve().client
    for headers in (
        {"host": "rebound.example.com"},
        {"host": "localhost.example.com:8000"},
        {"origin": "https://example.com"},
        {"origin": "null"},
        {"origin": "http://localhost:9000"},
    ):
        answer = client.get("/api/models", headers=headers)
        assert (answer.status_code, answer.json()["trouble"]) == (403, "stranger"), headers
    for host in ("127.0.0.1:8000", "[::1]:8000", "localhost"):
        assert client.get("/api/models", headers={"host": host}).status_code == 200
    assert client.get("/api/models", headers={"origin": "http://localhost:8000"}).status_code == 200


def test_any_upload_is_answered_with_a_line_and_a_known_word(serve: Serve, files: Files) -> None:
    client = serve().client

    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        which = data.draw(st.sampled_from(["person", "garment", "keypoints", "garment_mask"]))
        good = files[which][1]
        at = data.draw(st.integers(0, len(good) - 1))
        damaged = st.sampled_from([good[:at], good[:at] + b"\x00\xff" + good[at + 2 :], good[at:]])
        sent = data.draw(st.one_of(damaged, st.binary(max_size=200)))
        name = data.draw(st.text(max_size=5)) or "x"
        answer = client.post("/api/prepare", files={**files, which: (name, sent)})
        assert answer.status_code in (200, 400, 413, 415, 422), answer.text
        if answer.status_code != 200:
            assert set(answer.json()) == {"error", "trouble"}

    holds()
