from __future__ import annotations

import os
from pathlib import Path

import pytest

from lite_vton_runtimes.tensorrt.library import load_tensorrt

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT: pip install 'lite-vton[tensorrt]'")


def test_the_cuda_runtime_of_a_wheel_is_named_to_polygraphy_behind_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia/cu13/lib").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/own")
    for _ in range(2):
        load_tensorrt()
    folders = os.environ["LD_LIBRARY_PATH"].split(os.pathsep)
    assert folders[0] == "/own"
    assert folders.count(str(tmp_path / "nvidia/cu13/lib")) == 1


def test_every_caller_shares_one_logger_that_outlives_what_it_is_given_to() -> None:
    tensorrt = load_tensorrt()
    runtime = tensorrt.module.Runtime(tensorrt.logger)
    runtime.deserialize_cuda_engine(bytes(4096))
    del runtime
    assert load_tensorrt().logger is tensorrt.logger
    assert any("Serialization" in error for error in load_tensorrt().errors)
