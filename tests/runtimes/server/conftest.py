"""A tiny bundle behind the server's application, and drawn people to dress."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.bundle import export_bundle
from lite_vton import TryOn
from lite_vton.bundle import Bundle
from lite_vton.data.synthetic import synthesize
from lite_vton.inputs import TryOnInputs
from lite_vton.model.networks import random_networks
from lite_vton.presets import preset
from lite_vton.two_photos import prepare_photos

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.testclient import TestClient

from runtimes.server.app import application
from runtimes.server.dresser import Backends, Dresser, PreparePhotos
from runtimes.server.limits import Limits

Files = dict[str, tuple[str, bytes]]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    networks = random_networks(preset("tiny"))
    size = (networks.config.height, networks.config.width)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    inputs = TryOnInputs.compose(picture, mask, picture, mask, picture)
    return export_bundle(networks, inputs, tmp_path_factory.mktemp("server") / "tiny", steps=2)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What a form sends: a drawn person with keypoints (MediaPipe looks for people, not for drawings) and a garment."""
    drawn = synthesize(tmp_path_factory.mktemp("drawn") / "pairs", 1, seed=3, test_share=0) / "train"
    found = {
        "person": drawn / "image/00000_00.jpg",
        "garment": drawn / "cloth/00000_00.jpg",
        "garment_mask": drawn / "cloth-mask/00000_00.jpg",
        "keypoints": drawn / "openpose_json/00000_00_keypoints.json",
    }
    return {name: (path.name, path.read_bytes()) for name, path in found.items()}


@dataclass(frozen=True)
class Served:
    """The application's client, and what is behind it."""

    client: TestClient
    bundle: Bundle


Serve = Callable[..., Served]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of what Node builds."""
    folder = tmp_path_factory.mktemp("dist")
    for name in ("page", "ort"):
        (folder / name).mkdir()
    (folder / "page/index.html").write_text("<!doctype html><title>the page</title>")
    return folder


@pytest.fixture
def serve(bundle: Bundle, page: Path) -> Iterator[Serve]:
    """An application with these limits; `save_photos` is a folder, `prepare` stands in for what photos are given to."""
    clients: list[TestClient] = []

    def started(
        save_photos: Path | None = None,
        origins: tuple[str, ...] = (),
        prepare: PreparePhotos = prepare_photos,
        **limits: float,
    ) -> Served:
        offered = (("onnxruntime", "fp32"),)
        backends = Backends(offered, lambda backend, precision: TryOn(bundle, backend, precision))
        dresser = Dresser(bundle, backends, prepare, save_photos)
        bounds = Limits(**limits)  # type: ignore[arg-type]
        app = application(bundle, dresser, backends, page, limits=bounds, origins=origins)
        client = TestClient(app, base_url="http://localhost:8000", raise_server_exceptions=False)
        clients.append(client.__enter__())
        return Served(client, bundle)

    yield started
    for client in clients:
        client.__exit__(None, None, None)


def as_bmp(photo: bytes) -> bytes:
    """Beyond the megabyte at which uploads are usually moved to the disk."""
    content = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        larger = Image.new("RGB", (768, 1024), "white")  # beside the person, whose keypoints stay where they are
        larger.paste(image)
        larger.save(content, "BMP")
    return content.getvalue()
