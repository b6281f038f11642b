"""A network is traced once in a run of the tests: torch takes seconds for it, and equal networks have equal graphs."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from torch import nn

from lite_vton.model.components import ComponentSpec
from lite_vton.presets.config import ModelConfig
from lite_vton_export.bundle import artifacts
from lite_vton_export.onnx import write as onnx

_HOW_IT_WORKS = frozenset(vars(nn.Module()))
"""What every module has of torch: parts and hooks, which are looked at by themselves."""


@contextmanager
def traced_once(kept: Path) -> Iterator[None]:
    """`trace_onnx` copies from the folder `kept` what it, or another process, has traced before."""
    trace = onnx.trace_onnx
    kept.mkdir(parents=True, exist_ok=True)

    def copied(
        module: nn.Module, spec: ComponentSpec, config: ModelConfig, folder: Path, opset: int = onnx.DEFAULT_OPSET
    ) -> Path:
        whole = kept / _key(module, spec, config, opset)
        if not whole.is_dir():
            with TemporaryDirectory(dir=kept) as draft:
                trace(module, spec, config, Path(draft) / "traced", opset)
                if not whole.is_dir():  # another process may have been first
                    (Path(draft) / "traced").rename(whole)
        shutil.copytree(whole, folder, dirs_exist_ok=True)
        return folder / "model.onnx"

    with pytest.MonkeyPatch.context() as patch:
        for user in (onnx, artifacts):
            patch.setattr(user, "trace_onnx", copied)
        yield


def _key(module: nn.Module, spec: ComponentSpec, config: ModelConfig, opset: int) -> str:
    """The hash of all that a graph follows from: tensors, the modules' classes and settings, and their weights."""
    about = [spec.name, spec.inputs(config), spec.outputs(config), opset]
    about += [(name, _settings(part)) for name, part in module.named_modules()]
    about += [(name, _digest(values)) for name, values in (*module.named_parameters(), *module.named_buffers())]
    return hashlib.sha256(repr(about).encode()).hexdigest()


def _digest(values: torch.Tensor) -> tuple[torch.dtype, torch.Size, str]:
    content = values.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return values.dtype, values.shape, hashlib.sha256(content).hexdigest()


def _settings(value: object) -> Any:
    """A value in a form whose text is the same for equal ones: objects by their class and what they hold."""
    if isinstance(value, (bool, int, float, str, bytes, torch.dtype, torch.device, torch.Size)) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(name): _settings(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_settings(part) for part in value]
    if isinstance(value, torch.Tensor):
        return _digest(value)
    kind = value if isinstance(value, type) or (callable(value) and not isinstance(value, nn.Module)) else type(value)
    named = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', type(kind).__qualname__)}"
    held = {name: part for name, part in getattr(value, "__dict__", {}).items() if name not in _HOW_IT_WORKS}
    bound = [_settings(cell.cell_contents) for cell in getattr(value, "__closure__", None) or ()]
    return named, bound, None if isinstance(value, type) else _settings(held)
