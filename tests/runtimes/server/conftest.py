"""A tiny bundle behind the server's application, and drawn people to dress."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from lite_vton import TryOn
from lite_vton.bundle import Bundle
from lite_vton.tryon.photos import prepare_photos

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.testclient import TestClient

from lite_vton_runtimes.server.app import application
from lite_vton_runtimes.server.dresser import Backends, Dresser, PreparePhotos
from lite_vton_runtimes.server.limits import Limits
from tests.reliability.served import Files, exported, form_files, stand_in_page


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return exported(tmp_path_factory.mktemp("server") / "tiny")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return form_files(tmp_path_factory.mktemp("drawn") / "pairs")


@dataclass(frozen=True)
class Served:
    """The application's client, and what is behind it."""

    client: TestClient
    bundle: Bundle


Serve = Callable[..., Served]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in_page(tmp_path_factory.mktemp("page") / "dist")


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


def as_bmp(photo: bytes, size: tuple[int, int] = (768, 1024)) -> bytes:
    """Beyond the megabyte at which uploads are usually moved to the disk."""
    content = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        larger = Image.new("RGB", size, "white")  # beside the person, whose keypoints stay where they are
        larger.paste(image)
        larger.save(content, "BMP")
    return content.getvalue()
