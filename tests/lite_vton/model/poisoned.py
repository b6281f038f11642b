"""Checkpoints that want to run code as they are read, of every kind that is read."""

from __future__ import annotations

import io
import os
import pickle
import sys
import types
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

RAN = "ran"
"""The folder that any of them would make where it is read."""


class MakesFolder:
    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return (os.mkdir, (RAN, 0o700))


class Evaluates:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, (f"__import__('os').mkdir({RAN!r})",))


@contextmanager
def pretended(*names: str) -> Iterator[list[type]]:
    """Classes of packages that are not installed, to be pickled by these names."""
    classes, modules = [], []
    for name in names:
        module, _, title = name.rpartition(".")
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in sys.modules:
                sys.modules[path] = types.ModuleType(path)
                modules.append(path)
        made = type(title, (), {"__module__": module, "__qualname__": title})
        setattr(sys.modules[module], title, made)
        classes.append(made)
    try:
        yield classes
    finally:
        for path in modules:
            del sys.modules[path]


def poison(kind: str, weights: dict[str, torch.Tensor], file: Path) -> Path:
    """Write a checkpoint of that kind with weights and a trap."""
    match kind:
        case "zip":
            torch.save({"state_dict": weights, "callbacks": MakesFolder()}, file)
        case "eval":
            torch.save({"state_dict": weights, "callbacks": Evaluates()}, file)
        case "old":
            content = {"state_dict": weights, "callbacks": Evaluates()}
            torch.save(content, file, _use_new_zipfile_serialization=False)
        case "within a trainer's class":
            with pretended("omegaconf.dictconfig.DictConfig") as (config,):
                settings = config()
                settings.trap = Evaluates()
                torch.save({"state_dict": weights, "config": settings}, file)
        case "named as a trainer's":
            # A module beside the checkpoint with a trainer's name, which importing it would run.
            trap = f"import os\nos.mkdir({RAN!r})\nclass DictConfig: pass\n"
            Path("omegaconf.py").write_text(trap, encoding="utf-8")
            with pretended("omegaconf.DictConfig") as (config,):
                torch.save({"state_dict": weights, "config": config()}, file)
        case "plain pickle":
            file.write_bytes(pickle.dumps({"state_dict": {}, "callbacks": Evaluates()}))
        case "protocol 4":
            torch.save({"state_dict": weights, "callbacks": Evaluates()}, file, pickle_protocol=4)
        case "program":
            program = torch.jit.script(torch.nn.Conv2d(3, 4, 1))
            program.save(str(file))
            _replace(file, "data.pkl", pickle.dumps(Evaluates(), protocol=2))
        case _:
            raise AssertionError(kind)
    return file


KINDS = ("zip", "eval", "old", "within a trainer's class", "plain pickle", "protocol 4", "program")
"""All that are refused. `named as a trainer's` is read, with what was named put aside."""


def _replace(file: Path, name: str, content: bytes) -> None:
    copied = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(copied, "w") as target:
        for entry in archive.infolist():
            inner = entry.filename.partition("/")[2]
            target.writestr(entry.filename, content if inner == name else archive.read(entry))
    file.write_bytes(copied.getvalue())
