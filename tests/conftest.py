"""What all tests share: a trace of each network, and random weights in the shapes of published ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.made_once import shared_folder

if TYPE_CHECKING:
    import torch

# torch's threads spin where other tests use the cores too; set before torch is first imported, and inherited.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_ALEXNET = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="leave out what is marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
    # The longest files first: what is left at the end is short, and no worker waits long for the other.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def traced_once_by_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from tests.traced_once import traced_once

    folder = shared_folder(tmp_path_factory) / "traced"
    with traced_once(folder), pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITE_VTON_TESTS_TRACES", str(folder))  # for tests/traced_program.py
        yield


@pytest.fixture(scope="session")
def alexnet() -> dict[str, torch.Tensor]:
    """torchvision's state dict, the classifier left out but for one tensor."""
    import torch

    draw = np.random.default_rng(0)
    weights = {"classifier.1.bias": torch.zeros(4096)}
    for layer, shape in _ALEXNET.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        weights[f"features.{layer}.weight"] = torch.from_numpy(scale * draw.standard_normal(shape)).float()
        weights[f"features.{layer}.bias"] = torch.from_numpy(0.1 * draw.standard_normal(shape[0])).float()
    return weights


@pytest.fixture(scope="session")
def inception() -> dict[str, torch.Tensor]:
    """torch-fidelity's state dict."""
    import torch

    from lite_vton_training.metrics.inception import layer_shapes

    draw = np.random.default_rng(0)
    weights = {}
    for name, shape in sorted(layer_shapes().items()):
        if name.endswith("conv.weight"):
            scale = np.float32((2 / np.prod(shape[1:])) ** 0.5)
            values = draw.standard_normal(tuple(shape), dtype=np.float32) * scale
        elif name.endswith(("bn.weight", "running_var")):
            values = draw.uniform(0.5, 1.5, tuple(shape)).astype(np.float32)
        else:
            values = (0.1 * draw.standard_normal(tuple(shape))).astype(np.float32)
        weights[name] = torch.from_numpy(values)
    return weights | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
