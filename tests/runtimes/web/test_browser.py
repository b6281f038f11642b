"""The package of runtimes/web in a real browser: Debian's Chromium, the built package served on loopback."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lite_vton.bundle import Bundle
from lite_vton_runtimes.sampling.noise import gaussian

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGE = Path(__file__).with_name("page.html")
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
"""Chromium's own Vulkan on the CPU: WebGPU on any machine, slowly, without float16."""


@dataclass
class Site:
    """Folders and files under loopback, by the first part of their path."""

    places: Mapping[str, Path]
    asked: list[str] = field(default_factory=list)
    url: str = ""


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, site: Site, *arguments: Any) -> None:
        self.site = site
        super().__init__(*arguments)

    def translate_path(self, path: str) -> str:
        _, first, *rest = path.split("?")[0].split("/")
        return str(self.site.places.get(first, Path("/nowhere")).joinpath(*rest))

    def end_headers(self) -> None:
        # With these a browser lends WebAssembly its threads.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_request(self, *_: object) -> None:
        self.site.asked.append(self.path)


@pytest.fixture(scope="session")
def site(package: Path, tiny: Bundle, tiny_clip: Bundle) -> Iterator[Site]:
    places = {"page.html": PAGE, "dist": package / "dist", "tiny": tiny.root, "tiny-clip": tiny_clip.root}
    site = Site(places)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, site))
    site.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """A page with the package loaded, in a browser that has been nowhere yet."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs a browser: install Debian's package chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *SOFTWARE_GPU])
        page = browser.new_page()
        opened(page, site)
        yield page
        browser.close()


def opened(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/page.html")
    page.wait_for_function("window.dressed !== undefined")


def dressed(page: Page, bundle: str, **options: object) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate("options => dressed(options)", {"bundle": f"/{bundle}", **options})
    return answer


def psnr(answer: dict[str, Any], bundle: Bundle) -> float:
    """Of the picture in `answer` against Python's of the same seed, in dB."""
    assert "picture" in answer, answer
    with np.load(bundle.root / "golden/trajectory.npz") as golden:
        wanted = golden["picture"].astype(np.float64)
    error = np.mean((np.reshape(answer["picture"], wanted.shape) - wanted) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-15)))


def test_the_picture_in_the_browser_is_pythons(page: Page, tiny: Bundle, tiny_clip: Bundle) -> None:
    for bundle, name, precision, least in (
        (tiny, "tiny", "fp32", 60),
        (tiny, "tiny", "fp16", 35),
        (tiny, "tiny", "int8", 28),
        (tiny_clip, "tiny-clip", "fp32", 60),
    ):
        answer = dressed(page, name, precision=precision, choice="wasm")
        assert answer["provider"] == "wasm"
        assert psnr(answer, bundle) >= least, (name, precision)


def test_webgpu_gives_the_same_picture_and_says_what_it_cannot_compute(page: Page, tiny: Bundle) -> None:
    refused = dressed(page, "tiny", precision="fp16", choice="webgpu")
    if refused.get("trouble") == "webgpu":
        pytest.skip("needs a Chromium with SwiftShader for WebGPU: this one has no adapter")
    assert refused["trouble"] == "precision"
    answer = dressed(page, "tiny", choice="auto")
    assert answer["provider"] == "webgpu"
    assert psnr(answer, tiny) >= 60


def test_the_noise_in_the_browser_is_numpys(page: Page) -> None:
    assert page.evaluate("Array.from(vton.gaussian(7)(2000))") == gaussian(7)((2000,)).tolist()


def test_a_second_visit_takes_the_networks_from_the_cache(page: Page, site: Site) -> None:
    first = dressed(page, "tiny", choice="wasm")
    site.asked.clear()
    opened(page, site)
    assert dressed(page, "tiny", choice="wasm") == first
    assert any(path.endswith("manifest.json") for path in site.asked)
    assert not any(path.endswith(".onnx") for path in site.asked)


def test_a_page_without_webgpu_says_so_when_asked_for_it_and_runs_without_when_not(page: Page) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'gpu', { value: undefined })")
    page.reload()
    page.wait_for_function("window.dressed !== undefined")
    assert dressed(page, "tiny", choice="webgpu")["trouble"] == "webgpu"
    assert dressed(page, "tiny", choice="auto")["provider"] == "wasm"


def test_a_run_is_cancelled_and_a_bundle_that_is_not_there_is_said_to_be_gone(page: Page) -> None:
    assert dressed(page, "tiny", choice="wasm", cancelAt=1)["trouble"] == "cancelled"
    assert dressed(page, "nothing", choice="wasm")["trouble"] == "gone"
