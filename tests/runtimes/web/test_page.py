"""`lite-vton serve` as people meet it: a process of its own, and its page in Debian's Chromium."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from PIL import Image

from lite_vton import TryOn
from lite_vton.bundle import Bundle
from lite_vton.cli import main
from lite_vton.data.drawn.dataset import synthesize
from lite_vton.person.keypoints import read_keypoints
from lite_vton.photo.files import load_photo
from lite_vton.tryon.known import Known
from lite_vton.tryon.photos import prepare_photos
from lite_vton.tryon.prepare import into_photo

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("fastapi", reason="needs the extra serve")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("package")]  # the latter builds the page

Files = dict[str, Path]
SEED, STEPS = 7, 3
IN_BROWSER, ON_SERVER = "Browser: WebAssembly, fp32", "Server: ONNX Runtime, fp32"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A drawn person with keypoints, and a garment."""
    drawn = synthesize(tmp_path_factory.mktemp("drawn") / "pairs", 1, seed=3, test_share=0) / "train"
    return {
        "person": drawn / "image/00000_00.jpg",
        "garment": drawn / "cloth/00000_00.jpg",
        "garment_mask": drawn / "cloth-mask/00000_00.jpg",
        "keypoints": drawn / "openpose_json/00000_00_keypoints.json",
    }


@dataclass(frozen=True)
class Server:
    """A server under way."""

    process: subprocess.Popen[str]
    url: str
    bundle: Path

    def stop(self, by: int = signal.SIGINT) -> tuple[int, str, str]:
        """Exit code, and what it printed."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def started(bundle: Path, *options: object, program: tuple[str, ...] = ("-m", "lite_vton.cli")) -> Server:
    words = [*program, "serve", str(bundle), "--port", "0", *map(str, options)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if " at http://" not in line:
        process.kill()
        pytest.fail(f"serve said {line!r} and {process.communicate()}")
    return Server(process, line.split(" at ")[1].split()[0], bundle)


@pytest.fixture(scope="module")
def server(tiny: Bundle) -> Iterator[Server]:
    server = started(tiny.root, "--backend", "onnxruntime")
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the bundle that `lite-vton demo` makes, as far as a browser needs it."""
    path = tmp_path_factory.mktemp("demo") / "bundle"
    assert main(["export", "demo", "-o", str(path), "--precision", "fp32"]) == 0
    server = started(path, "--backend", "onnxruntime")
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture
def damaged(tiny: Bundle, tmp_path: Path) -> Iterator[Server]:
    """A server of a bundle of its own, for tests that do something to it."""
    shutil.copytree(tiny.root, tmp_path / "bundle")
    server = started(tmp_path / "bundle", "--backend", "onnxruntime", "--max-upload-mb", 1)
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs a browser: install Debian's package chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page that has been nowhere yet; what it logs as an error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors


def opened(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.wait_for_selector("#where option", state="attached")


def given(page: Page, files: Files) -> None:
    """All of the photos' files, the person's last."""
    page.locator("#more").evaluate("details => { details.open = true }")
    for name in ("keypoints", "garment_mask", "garment", "person"):
        if name in files:
            page.set_input_files(f"#{name}", files[name])


def dressed(page: Page, label: str, steps: int = STEPS) -> bytes:
    """The picture that the page offers for download after a run at `label`."""
    page.wait_for_selector("#prepared:not([hidden])")
    page.wait_for_selector("#dress:not([disabled])")
    page.select_option("#where", label=label)
    page.fill("#steps", str(steps))
    page.fill("#seed", str(SEED))
    page.click("#dress")
    page.wait_for_selector("#status:has-text('Done in'), #alert:not([hidden])")
    assert page.locator("#alert").is_hidden(), page.inner_text("#alert")
    with page.expect_download() as download:
        page.click("#download")
    return Path(download.value.path()).read_bytes()


def pythons(bundle: Path, files: Files, precision: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The same photos and seed, without any server."""
    person, opened = load_photo(files["person"]), Bundle.open(bundle)
    config = opened.manifest.model
    prepared = prepare_photos(
        person,
        load_photo(files["garment"]),
        config.height,
        config.width,
        mask=config.mask,
        known=Known(
            keypoints=read_keypoints(files["keypoints"]), garment_mask=load_photo(files["garment_mask"]).pixels
        ),
    )
    with TryOn(opened, precision=precision) as model:
        picture = model(prepared.inputs, steps=STEPS, seed=SEED).picture
    return into_photo(person, prepared, picture)


def psnr(png: bytes, wanted: np.ndarray[Any, np.dtype[np.uint8]]) -> float:
    """In dB, over the pixels that the try-on changed."""
    with Image.open(io.BytesIO(png)) as image:
        found = np.asarray(image).astype(np.float64)
    assert found.shape == wanted.shape
    error = np.mean((found - wanted) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-15)))


def test_the_picture_of_the_page_is_pythons_in_every_precision_and_place(
    page: Page, server: Server, files: Files
) -> None:
    opened(page, server)
    given(page, files)
    for precision, least in (("fp32", 50), ("fp16", 35), ("int8", 35)):
        wanted = pythons(server.bundle, files, precision)
        assert psnr(dressed(page, f"Browser: WebAssembly, {precision}"), wanted) >= least, precision
        assert psnr(dressed(page, f"Server: ONNX Runtime, {precision}"), wanted) >= 80, precision


def test_mask_pose_and_warp_are_shown_and_the_slider_moves_by_keyboard(
    page: Page, server: Server, files: Files
) -> None:
    opened(page, server)
    given(page, files)
    dressed(page, IN_BROWSER)
    for name in ("mask", "pose", "warp"):
        shades = page.locator(f"#{name}").evaluate(
            "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
        )
        assert shades >= 2, name
    page.focus("#split")
    page.keyboard.press("Home")
    assert page.locator("#compare-frame").evaluate("frame => frame.style.getPropertyValue('--split')") == "0%"
    page.keyboard.press("End")
    assert page.locator("#compare-frame").evaluate("frame => frame.style.getPropertyValue('--split')") == "100%"


def test_everything_is_reached_by_keyboard_and_has_a_name(page: Page, server: Server) -> None:
    opened(page, server)
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    for name in ("person", "garment", "where", "category", "sampler", "steps", "seed", "another"):
        assert name in reached, reached
    for role, names in {
        "spinbutton": ("Steps", "Seed"),
        "combobox": ("Where", "Garment", "Sampler"),
        "button": ("Dress", "Another", "Compare all"),
        "status": ("",),
    }.items():
        for name in names:
            found = page.get_by_role(role, name=name, exact=True) if name else page.get_by_role(role)  # type: ignore[arg-type]
            assert found.count() == 1, (role, name)


CANCEL_WHILE_SAMPLING = """() => new Promise((done, failed) => {
  const [dress, cancel, status] = ["dress", "cancel", "status"].map((id) => document.getElementById(id));
  new MutationObserver((_, watch) => {
    if (!status.textContent.startsWith("Sampling")) return;
    watch.disconnect();
    if (cancel.hidden) failed(new Error("there is nothing to cancel with"));
    cancel.click();
    done();
  }).observe(status, { childList: true });
  dress.click();
})"""
"""Clicked by the page: a server takes no longer for six hundred steps of a tiny model than a click from outside."""


def test_a_run_in_the_browser_and_one_on_the_server_are_cancelled(page: Page, server: Server, files: Files) -> None:
    opened(page, server)
    given(page, files)
    for label in (IN_BROWSER, ON_SERVER):
        dressed(page, label, 1)
        page.fill("#steps", "600")
        page.evaluate(CANCEL_WHILE_SAMPLING)
        page.wait_for_selector("#status:has-text('Cancelled')")
        assert page.locator("#alert").is_hidden()
    dressed(page, IN_BROWSER, 1)


def test_the_page_of_calls_shows_and_tries_them_and_asks_no_other_host(page: Page, server: Server) -> None:
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/docs")
    for path in ("/api/models", "/api/prepare", "/api/try-on", "/api/paste", "/healthz", "/metrics"):
        page.wait_for_selector(f".opblock-summary-path[data-path='{path}']")
    call = page.locator(".opblock", has=page.locator("[data-path='/healthz']"))
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()
    answer = call.locator(".live-responses-table .response")
    answer.wait_for()
    assert '"status": "ok"' in answer.inner_text()
    assert all(url.startswith((f"{server.url}/", "data:")) for url in asked), asked
    assert not refused


def test_a_reload_takes_the_networks_from_the_cache(page: Page, server: Server, files: Files) -> None:
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    opened(page, server)
    given(page, files)
    first = dressed(page, IN_BROWSER)
    assert any(url.endswith(".onnx") for url in asked)
    asked.clear()
    opened(page, server)
    given(page, files)
    assert dressed(page, IN_BROWSER) == first
    assert any(url.endswith("manifest.json") for url in asked)
    assert not any(url.endswith(".onnx") for url in asked)
    assert all(url.startswith((server.url, "blob:")) for url in asked)


def test_all_places_are_compared(page: Page, server: Server, files: Files) -> None:
    opened(page, server)
    given(page, files)
    page.wait_for_selector("#prepared:not([hidden])")
    page.wait_for_selector("#compare:not([disabled])")
    page.fill("#steps", "1")
    page.click("#compare")
    page.wait_for_selector("#status:has-text('Fastest')")
    rows = page.locator("#rows tr").count()
    assert rows == page.locator("#where option").count() >= 6
    times = page.locator("#rows td:last-child").all_inner_texts()
    assert all(time.endswith(" s") for time in times), times
    assert page.locator("#rows .best").count() >= 1


def test_photos_that_will_not_do_are_explained_on_the_page(
    page: Page, damaged: Server, files: Files, tmp_path: Path
) -> None:
    opened(page, damaged)
    empty, note, large = (tmp_path / name for name in ("empty.jpg", "note.png", "large.bmp"))
    empty.touch()
    note.write_text("no picture")
    large.write_bytes(b"BM" + bytes(1_200_000))
    for person, said in ((empty, "is empty"), (note, "not an image"), (large, "more than 1 MB")):
        given(page, {**files, "person": person})
        page.wait_for_selector(f"#alert:has-text('{said}')")
    given(page, {"person": files["person"], "garment": files["garment"]})
    page.wait_for_selector("#prepared:not([hidden])")
    assert page.locator("#alert").is_hidden()


def test_a_person_whom_nobody_sees_is_explained(page: Page, server: Server, files: Files, tmp_path: Path) -> None:
    Image.new("RGB", (300, 400), "grey").save(tmp_path / "grey.png")
    opened(page, server)
    given(page, {"garment": files["garment"], "person": tmp_path / "grey.png"})
    page.wait_for_selector("#alert:not([hidden])")
    assert "photo" in page.inner_text("#alert")


@pytest.mark.parametrize("fault", ["gone", "truncated", "altered", "not a bundle", "beyond all memory"])
def test_a_bundle_that_will_not_do_is_explained(page: Page, damaged: Server, files: Files, fault: str) -> None:
    unet, manifest = damaged.bundle / "onnx-fp32/unet/model.onnx", damaged.bundle / "manifest.json"
    content = unet.read_bytes()
    told = json.loads(manifest.read_text())
    if fault == "gone":
        unet.unlink()
    elif fault == "truncated":
        unet.write_bytes(content[: len(content) // 2])
    elif fault == "altered":
        unet.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif fault == "not a bundle":
        manifest.write_text("<html>")
    else:
        told["files"]["onnx-fp32/unet/model.onnx"]["bytes"] = 2**45
        manifest.write_text(json.dumps(told))
    opened(page, damaged)
    given(page, files)
    page.wait_for_selector("#dress:not([disabled])")
    page.select_option("#where", label=IN_BROWSER)
    page.click("#dress")
    page.wait_for_selector("#alert:not([hidden])")
    said = {
        "gone": "is not there",
        "truncated": "is damaged",
        "altered": "is damaged",
        "not a bundle": "describes no bundle",
        "beyond all memory": "No memory",
    }
    assert said[fault] in page.inner_text("#alert")


def test_without_webgpu_the_page_offers_webassembly(page: Page, server: Server) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'gpu', { value: undefined })")
    opened(page, server)
    labels = page.locator("#where option").all_inner_texts()
    assert IN_BROWSER in labels
    assert not any("WebGPU" in label for label in labels)


def test_the_page_says_when_its_server_has_gone(page: Page, damaged: Server, files: Files) -> None:
    opened(page, damaged)
    damaged.stop()
    given(page, files)
    page.wait_for_selector("#alert:has-text('does not answer')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844), (360, 640)], ids=["desktop", "phone", "small phone"])
def test_the_page_fits_every_screen_and_its_words_stand_out(
    browser: Any, server: Server, files: Files, tmp_path: Path, scheme: str, size: tuple[int, int]
) -> None:
    """Looked at by people as well: `--basetemp` keeps the pictures."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    opened(page, server)
    given(page, files)
    dressed(page, ON_SERVER)
    page.screenshot(path=tmp_path / f"{scheme}-{size[0]}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for selector in ("h1", "#about", "#status", "#dress", "#privacy"):
        assert page.locator(selector).evaluate(CONTRAST) >= 4.5, selector
    context.close()


CONTRAST = """element => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(part => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element;
  while (/, 0\\)$/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
"""WCAG's contrast of an element's words with what is behind them."""


def test_the_demo_is_dressed_in_the_browser_within_twenty_seconds_of_loading(
    page: Page, demo: Server, files: Files
) -> None:
    opened(page, demo)
    given(page, files)
    dressed(page, IN_BROWSER, 8)
    row = page.locator("#rows tr", has_text="WebAssembly, fp32")
    assert float(row.locator("td").last.inner_text().removesuffix(" s")) < 20


def form_of(files: Files) -> tuple[bytes, str]:
    edge = "edge-of-a-part"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; filename="{path.name}"\r\n\r\n'.encode()
        + path.read_bytes()
        + b"\r\n"
        for name, path in files.items()
    ]
    return b"".join(parts) + f"--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}"


def test_of_fifty_uploads_at_once_each_is_dressed_or_told_that_it_is_busy(tiny: Bundle, files: Files) -> None:
    server = started(tiny.root, "--backend", "onnxruntime", "--queue", 4)
    body, kind = form_of(files)
    memory, done = [0], threading.Event()

    def ask(_: int) -> tuple[int, str]:
        request = urllib.request.Request(f"{server.url}/api/try-on", body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers["content-type"]
        except urllib.error.HTTPError as error:
            return error.code, f"{json.load(error)['trouble']}, again in {error.headers['retry-after']} s"

    def watch() -> None:
        process = psutil.Process(server.process.pid)
        while not done.wait(0.02):
            memory[0] = max(memory[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    done.set()
    watcher.join()
    assert set(answers) == {(200, "image/png"), (503, "busy, again in 2 s")}
    assert answers.count((200, "image/png")) >= 4
    assert memory[0] < 800e6
    assert ask(0) == (200, "image/png")
    code, out, err = server.stop()
    assert (code, err) == (0, "")
    assert out.endswith("stopped\n")


STUCK = """
import sys, time
from lite_vton.tryon import photos
photos.prepare_photos = lambda *_, **__: time.sleep(600)
from lite_vton.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""A server whose work cannot be stopped between two steps, as where a library's own code hangs."""


@pytest.mark.parametrize("program", [("-m", "lite_vton.cli"), ("-c", STUCK)], ids=["running", "stuck"])
def test_a_try_on_under_way_does_not_keep_the_server_from_ending(
    tiny: Bundle, files: Files, program: tuple[str, ...]
) -> None:
    server = started(tiny.root, "--backend", "onnxruntime", program=program)
    body, kind = form_of(files)
    body = body.replace(
        b"--edge-of-a-part--",
        b'--edge-of-a-part\r\nContent-Disposition: form-data; name="steps"\r\n\r\n600\r\n--edge-of-a-part--',
    )
    request = urllib.request.Request(f"{server.url}/api/try-on", body, {"Content-Type": kind})

    def ask() -> None:
        try:
            urllib.request.urlopen(request, timeout=60).close()
        except OSError:
            return

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.5)
    began = time.monotonic()
    code, _, _ = server.stop(signal.SIGTERM)
    assert code == 0
    assert time.monotonic() - began < 10
    asking.join()


def test_a_port_in_use_and_a_zipped_bundle(tiny: Bundle, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "tiny"), "zip", tiny.root))
    server = started(archive, "--backend", "onnxruntime")
    with urllib.request.urlopen(f"{server.url}/bundle/onnx-fp32/unet/model.onnx") as answer:
        assert answer.read() == (tiny.root / "onnx-fp32/unet/model.onnx").read_bytes()
    words = ["-m", "lite_vton.cli", "serve", str(archive), "--port", server.url.rpartition(":")[2]]
    second = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.count("\n") == 1
    assert "in use" in second.stderr
    assert server.stop()[0] == 0
