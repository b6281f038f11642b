"""One bundle of the tiny model in both precisions, exported once, copied by the tests that damage it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lite_vton.bundle import Artifact, Bundle, ComponentFiles, record_files, write_manifest
from lite_vton.model.components import components_of
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle, extend_bundle
from lite_vton_export.tensorrt.cache import cache_folder
from tests.made_once import made_once

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def networks() -> Networks:
    made = random_networks(preset("tiny"))
    return Networks(made.config, made.autoencoder, made.unet, latent_scale=0.5)


@pytest.fixture(scope="session")
def inputs() -> TryOnInputs:
    config, random = preset("tiny"), np.random.default_rng(0)
    size = (config.height, config.width)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    person, garment, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
    return TryOnInputs.compose(person, mask, garment, mask, pose)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    def export(path: Path) -> None:
        export_bundle(networks, inputs, path, steps=3, seed=7)

    return Bundle.open(made_once(tmp_path_factory, "tiny", export))


@pytest.fixture(scope="session")
def fused(tmp_path_factory: pytest.TempPathFactory, exported: Bundle) -> Bundle:
    """The exported bundle with the fused form of both of its artifacts."""

    def export(path: Path) -> None:
        extend_bundle(exported, path, ("onnx",), ("fp32", "fp16"), fused=True)

    return Bundle.open(made_once(tmp_path_factory, "tiny-fused", export))


Spoilt = Callable[[Callable[[Path], object]], Bundle]
"""Copies a bundle, damages the copy, and gives it a manifest that believes the damage."""


def _spoiling(bundle: Bundle, root: Path) -> Spoilt:
    def copy(damage: Callable[[Path], object]) -> Bundle:
        shutil.copytree(bundle.root, root)
        damage(root)
        write_manifest(root, bundle.manifest.model_copy(update={"files": record_files(root)}))
        return Bundle.open(root)

    return copy


@pytest.fixture
def damaged(tmp_path: Path, exported: Bundle) -> Spoilt:
    """Damaged copies of the exported bundle."""
    return _spoiling(exported, tmp_path / "damaged")


@pytest.fixture
def spoilt(tmp_path: Path, written: Bundle) -> Spoilt:
    """Damaged copies of the bundle that the test's own module writes."""
    return _spoiling(written, tmp_path / "spoilt")


@pytest.fixture(scope="session")
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of engines for these tests alone."""
    folder = tmp_path_factory.mktemp("engines") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITE_VTON_ENGINE_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def engines(
    tmp_path_factory: pytest.TempPathFactory, exported: Bundle, networks: Networks, engine_cache: Path
) -> Bundle:
    """The exported bundle with engines built from its ONNX files."""
    assert cache_folder() == engine_cache
    pytest.importorskip("tensorrt_rtx", reason="needs TensorRT: pip install 'lite-vton[tensorrt]'")
    from lite_vton_export.tensorrt.precision import found_precision
    from lite_vton_export.tensorrt.write import export_tensorrt

    root = tmp_path_factory.mktemp("engines") / "tiny"
    shutil.copytree(exported.root, root)
    artifacts = dict(exported.manifest.artifacts)
    files: dict[str, dict[str, ComponentFiles]] = {"fp32": {}, "fp16": {}}
    for name, spec in components_of(networks.config).items():
        folders = {precision: root / f"tensorrt-{precision}" / name for precision in files}
        for precision, path in export_tensorrt(spec.wrap(networks), spec, networks.config, folders).items():
            model = path.relative_to(root).as_posix()
            files[precision][name] = ComponentFiles(model=model, precision_found=found_precision(path))
    for precision, components in files.items():
        artifacts[f"tensorrt-{precision}"] = Artifact(format="tensorrt", precision=precision, components=components)
    manifest = exported.manifest.model_copy(update={"artifacts": artifacts, "files": record_files(root)})
    write_manifest(root, manifest)
    return Bundle.open(root)


@pytest.fixture
def spoilt_engines(tmp_path: Path, engines: Bundle) -> Spoilt:
    """Damaged copies of the bundle with engines."""
    return _spoiling(engines, tmp_path / "spoilt")
