"""A server of a tiny bundle in a process of its own, for whoever tries it from outside."""

from __future__ import annotations

import argparse
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lite_vton_runtimes.server.limits import Limits, Patience

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle

Files = dict[str, tuple[str, bytes]]


@dataclass(frozen=True)
class Server:
    """A server's process, and the port of 127.0.0.1 where it listens."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def served(
    bundle: Path, page: Path, *options: str, descriptors: int = 0, environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """Started, and ended at the end. `options` are `--head-seconds 1` and the other fields of Limits and Patience."""
    command = [sys.executable, "-m", "tests.reliability.served", str(bundle), str(page), *options]
    if descriptors:
        command += ["--descriptors", str(descriptors)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield Server(process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait(60)


@contextmanager
def tiny_bundle() -> Iterator[tuple[Path, Path, Files]]:
    """A bundle of random weights, a folder in place of the page that Node builds, and a form's files."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        yield exported(folder / "tiny").root, stand_in_page(folder / "dist"), form_files(folder / "pairs")


def exported(target: Path) -> Bundle:
    """A bundle of random weights at `target`."""
    import numpy as np

    from lite_vton.model.networks import random_networks
    from lite_vton.presets.table import preset
    from lite_vton.tryon.inputs import TryOnInputs
    from lite_vton_export.bundle.export import export_bundle

    networks = random_networks(preset("tiny"))
    size = (networks.config.height, networks.config.width)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    inputs = TryOnInputs.compose(picture, mask, picture, mask, picture)
    return export_bundle(networks, inputs, target, steps=2)


def stand_in_page(dist: Path) -> Path:
    """A folder in place of the page that Node builds."""
    for part in ("page", "ort"):
        (dist / part).mkdir(parents=True)
    (dist / "page/index.html").write_text("<!doctype html><title>the page</title>")
    return dist


def form_files(folder: Path) -> Files:
    """What a form sends: a drawn person with keypoints (MediaPipe looks for people, not for drawings) and a garment."""
    from lite_vton.data.drawn.dataset import synthesize

    drawn = synthesize(folder, 1, seed=3, test_share=0) / "train"
    paths = {
        "person": drawn / "image/00000_00.jpg",
        "garment": drawn / "cloth/00000_00.jpg",
        "garment_mask": drawn / "cloth-mask/00000_00.jpg",
        "keypoints": drawn / "openpose_json/00000_00_keypoints.json",
    }
    return {part: (path.name, path.read_bytes()) for part, path in paths.items()}


def _serve() -> None:
    from lite_vton import TryOn
    from lite_vton.bundle import Bundle
    from lite_vton.tryon.photos import prepare_photos
    from lite_vton_runtimes.server.app import application
    from lite_vton_runtimes.server.dresser import Backends, Dresser
    from lite_vton_runtimes.server.listening import listen

    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("page", type=Path)
    parser.add_argument("--descriptors", type=int, default=0)
    for kind in (Limits, Patience):
        for field in fields(kind):
            default = field.default
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(default), default=default)
    given = parser.parse_args()
    if given.descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (given.descriptors, given.descriptors))
    limits, patience = (
        kind(**{field.name: getattr(given, field.name) for field in fields(kind)}) for kind in (Limits, Patience)
    )
    bundle = Bundle.open(given.bundle)
    backends = Backends((("onnxruntime", "fp32"),), lambda backend, precision: TryOn(bundle, backend, precision))
    app = application(bundle, Dresser(bundle, backends, prepare_photos), backends, given.page, limits=limits)

    def stop(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)  # as the command line does

    def ready(address: str) -> None:
        print(address.rpartition(":")[2], flush=True)

    listen(app, "127.0.0.1", 0, ready, app.state.queue, patience)


if __name__ == "__main__":
    _serve()
