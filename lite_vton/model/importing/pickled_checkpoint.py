"""Tensors out of what `torch.save` or TorchScript wrote. Nothing a pickle asks for is imported or run.

torch's own reader (`weights_only`) builds tensors, numbers, strings and containers, and refuses every other name. Names
of trainers' classes are common beside the weights, so those on a list are answered with stand-ins: classes of this file
that keep nothing and do nothing. The classes themselves are never imported, installed or not.
"""

from __future__ import annotations

import io
import pickletools
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import BinaryIO

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from lite_vton.errors import UserError

__all__ = ["unpickled"]

_PUT_ASIDE = (
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "lightning_utilities.",
    "omegaconf.",
    "numpy.",
    "typing.",
    "pathlib.",
    "datetime.",
    "argparse.Namespace",
    "yacs.config.",
    "easydict.",
    "addict.",
    "ml_collections.",
    "torch.torch_version.TorchVersion",
)
"""What names of classes begin with that trainers leave beside weights: settings, callbacks, figures."""

_TYPES_AS_VALUES = frozenset(
    f"builtins.{name}"
    for name in ("bool", "bytes", "float", "frozenset", "int", "list", "object", "str", "tuple", "type")
)
"""Types that OmegaConf stores as what a setting has to be."""

_OF_PYTHON_2 = {"__builtin__.long": "builtins.int", "__builtin__.unicode": "builtins.str"}
"""Names that the pickle protocol of `torch.save` writes, and what they are today."""

_MODULE = "__torch__."
_LISTS_OF_TORCHSCRIPT = "torch.jit._pickle."

_DAMAGED = (
    RuntimeError,  # torch's zip reader, and tensors larger than their storage
    ValueError,
    EOFError,
    KeyError,
    IndexError,  # torch's unpickler takes from an empty stack
    AttributeError,
    TypeError,
    AssertionError,
    OverflowError,
    MemoryError,
    OSError,
    struct.error,
    zipfile.BadZipFile,
)
"""What torch's readers raise over bytes that are no checkpoint, found by changing bytes of good ones."""


def unpickled(file: Path) -> object:
    """The content of a pickled checkpoint; of a TorchScript program its weights by name.

    Tensors are mapped from the disk where the format allows it. Raises `UserError` for a file that is damaged, or asks
    for anything but tensors and what trainers are known to leave beside them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickle protocols that it reads all the same
            if not zipfile.is_zipfile(file):  # as torch.save wrote before 1.6: cannot be mapped
                with file.open("rb") as opened:
                    asked = set(_names(opened))
                return _loaded(file, asked, mapped=False)
            program = _without_code(file)
            if program is not None:
                asked = set(get_unsafe_globals_in_checkpoint(program))
                program.seek(0)
                return dict(_weights_of(_loaded(program, asked, mapped=False)))
            return _loaded(file, set(get_unsafe_globals_in_checkpoint(str(file))), mapped=True)
    except UnpicklingError as error:
        raise UserError(
            f"{file} holds more than tensors, and what it holds is not run here: convert it to safetensors"
        ) from error
    except RecursionError as error:
        raise UserError(f"{file} is nested too deeply for a checkpoint: copy it again") from error
    except _DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{file} is not a readable checkpoint ({reason[:200]}): copy it again") from error


def _loaded(file: Path | io.BytesIO, asked: set[str], *, mapped: bool) -> object:
    inert: list[Callable[..., object] | tuple[Callable[..., object], str]]
    inert = [(stand_in, name) for name in asked if (stand_in := _stand_in(name)) is not None]
    with safe_globals(inert):
        content: object = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    return content


# Stand-ins


class _StandIn:
    """Takes the place of a trainer's class: keeps nothing, does nothing."""

    def __new__(cls, *_: object, **__: object) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...
    def __setstate__(self, _: object) -> None: ...


class _Module(_StandIn):
    """Takes the place of a TorchScript module: keeps its attributes."""

    attributes: object = None

    def __setstate__(self, state: object) -> None:
        self.attributes = state


def _plain_dict(*_: object) -> dict[object, object]:
    """In place of `collections.defaultdict`, without what it would call for a key it lacks."""
    return {}


def _first(values: object = (), *_: object) -> object:
    """In place of TorchScript's functions that make typed lists of plain ones."""
    return values


def _stand_in(name: str) -> Callable[..., object] | None:
    """What a name of a pickle becomes; None for one that is not on any list, which torch then refuses."""
    if name == "collections.defaultdict":
        return _plain_dict
    if name == "builtins.dict":
        return OrderedDict
    if name.startswith(_MODULE):
        return _Module
    if name.startswith(_LISTS_OF_TORCHSCRIPT):
        return _first
    if name in _TYPES_AS_VALUES:
        return _StandIn
    if not name.startswith(_PUT_ASIDE):
        return None
    # Dictionaries of their own kind are filled item by item, which torch's unpickler does for its own kinds alone.
    return OrderedDict if name.endswith(("Dict", "CfgNode")) and not name.startswith("omegaconf.") else _StandIn


def _names(opened: BinaryIO) -> Iterator[str]:
    """The names asked for by each of the pickles that an old checkpoint begins with, none of them run."""
    for _ in range(4):  # a magic number, a version, the machine, the content
        for opcode, argument, _position in pickletools.genops(opened):
            if opcode.name == "GLOBAL" and isinstance(argument, str):
                name = argument.replace(" ", ".")
                yield _OF_PYTHON_2.get(name, name.replace("__builtin__.", "builtins."))


# TorchScript


def _without_code(file: Path) -> io.BytesIO | None:
    """A TorchScript archive as a checkpoint, its program left out; None for a file that is no program.

    `torch.jit.load` would compile what is in it, and some of that runs at loading.
    """
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        # torch compresses nothing but a program's code; a small file that unfolds to a large one is no checkpoint.
        program = any(entry.filename.endswith("/constants.pkl") for entry in entries)
        kept = [entry for entry in entries if not program or "/data/" in entry.filename]
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in kept):
            raise ValueError("its content is compressed")
        if not program:
            return None
        copied = io.BytesIO()
        with zipfile.ZipFile(copied, "w") as target:
            for entry in entries:
                _, _, inner = entry.filename.partition("/")
                if inner in ("data.pkl", "version", "byteorder") or inner.startswith("data/"):
                    target.writestr(entry.filename, archive.read(entry))
    copied.seek(0)
    return copied


def _weights_of(module: object, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if not isinstance(module, _Module) or not isinstance(module.attributes, dict):
        return
    for name, value in module.attributes.items():
        if isinstance(value, torch.Tensor):
            yield f"{prefix}{name}", value
        else:
            yield from _weights_of(value, f"{prefix}{name}.")
