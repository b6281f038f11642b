"""`--low-memory`: never two networks in memory, and the very same picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lite_vton import TryOn
from lite_vton.errors import UserError
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_runtimes.base import Runtime
from lite_vton_runtimes.one_at_a_time import OneAtATime
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime
from lite_vton_runtimes.openvino.mapped_files import forget_pages, forgetting
from lite_vton_runtimes.torch.runtime import TorchRuntime


def loaded(runtime: Runtime) -> list[str]:
    return [name for name, component in runtime.components.items() if component._session is not None]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_picture_is_the_same_bit_for_bit(made: Any, inputs: TryOnInputs) -> None:
    with TryOn(made.bundle) as usual, TryOn(made.bundle, low_memory=True) as low:
        wanted, found, again = (model(inputs, steps=2, seed=1) for model in (usual, low, low))
    np.testing.assert_array_equal(found.picture, wanted.picture)
    np.testing.assert_array_equal(found.decoded, wanted.decoded)
    np.testing.assert_array_equal(again.decoded, wanted.decoded)


@pytest.mark.slow
def test_no_two_networks_are_loaded_at_once(made: Any, inputs: TryOnInputs) -> None:
    inner = OnnxRuntime(made.bundle)
    runtime = OneAtATime(inner)
    sample = {"sample": inputs.pose}
    runtime.components["vae_encoder"](sample)
    assert loaded(inner) == ["vae_encoder"]
    runtime.components["vae_decoder"]({"latent_sample": np.zeros((1, 4, 8, 6), np.float32)})
    assert loaded(inner) == ["vae_decoder"]
    runtime.components["vae_encoder"](sample)
    assert loaded(inner) == ["vae_encoder"]


def test_a_backend_that_holds_all_of_them_is_refused(made: Any) -> None:
    with pytest.raises(UserError, match="torch-fp32 holds all its networks at once: leave out --low-memory"):
        OneAtATime(TorchRuntime(made.modules, made.bundle.manifest.components))


def resident(file: Path) -> int:
    """Bytes of `file` in this process's memory."""
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    starts = [index for index, line in enumerate(lines) if line.endswith(str(file))]
    return sum(
        1024 * int(next(line for line in lines[start:] if line.startswith("Rss:")).split()[1]) for start in starts
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_mapped_files_pages_are_dropped_and_read_again(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    np.arange(1 << 18, dtype=np.int64).tofile(file)
    with forgetting(file):
        mapped = np.memmap(file, np.int64, mode="r")
        total = int(mapped.sum())
    assert resident(file) == 0
    assert int(mapped.sum()) == total
    assert resident(file) == file.stat().st_size
    forget_pages(file)
    assert resident(file) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_mapping_that_can_be_written_to_keeps_its_changes(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    np.zeros(1 << 16, dtype=np.int64).tofile(file)
    mapped = np.memmap(file, np.int64, mode="c")
    mapped[:] = 7
    forget_pages(file)
    assert (mapped == 7).all()
