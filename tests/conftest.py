"""Weights in the shapes of the published networks, drawn at random: the real ones cannot be downloaded in a test.

And what becomes of the suite where a library takes its process down.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    import torch

_ALEXNET = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


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

    from training.metrics.inception import layer_shapes

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


_TOGETHER = ("tests/export/coreml/", "tests/runtimes/web/")
"""Folders whose files share what takes long to make, and so a process."""


class _FilesOnce(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """A file's tests by one process, and no third try for a test that took its process down twice.

    After a crash pytest-xdist 3.8 waits for ever: for files that were done and are handed out again as empty work
    (https://github.com/pytest-dev/pytest-xdist/issues/1378), and for a process that is handed a file's last test alone
    (https://github.com/pytest-dev/pytest-xdist/pull/1328). So neither is handed out.
    """

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self.crashed: list[str] = []

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in _TOGETHER if nodeid.startswith(folder)), None)
        return folder or str(super()._split_scope(nodeid))

    def remove_node(self, node: Any) -> str | None:
        work = self.assigned_work[node]
        test = next((test for tests in work.values() for test, done in tests.items() if not done), None)
        if test in self.crashed:
            work[self._split_scope(test)][test] = True
        self.assigned_work[node] = {file: tests for file, tests in work.items() if not all(tests.values())}
        super().remove_node(node)
        return test

    def _assign_work_unit(self, node: Any) -> None:
        with suppress(OSError):  # died just now: what it was to get is among what `remove_node` takes back
            super()._assign_work_unit(node)
            self._reschedule(node)  # of a single test it would wait for the next one


_CRASHED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CRASHED] = []


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _FilesOnce(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: _FilesOnce) -> None:
    """Half a dozen native runtimes share a process; a test they took down once is run again, and said to have been."""
    if crashitem not in sched.crashed:
        report.outcome = "rerun"  # type: ignore[assignment]  # as pytest-xdist's own hook has it
    sched.crashed.append(crashitem)
    sched.config.stash[_CRASHED].append(crashitem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for test in config.stash[_CRASHED]:
        terminalreporter.write_line(f"the process died in {test}", red=True)
