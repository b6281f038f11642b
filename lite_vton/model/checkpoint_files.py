"""Tensors out of other people's files, by name: mapped from the disk where that is possible, and no code run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from lite_vton.errors import UserError

__all__ = ["read_component", "read_json", "read_weights"]

_LFS = b"version https://git-lfs"

_FILES = (
    "{stem}.safetensors",
    "{stem}.safetensors.index.json",
    "{stem}.fp16.safetensors",
    "{stem}.safetensors.index.fp16.json",
    "{stem}.bin",
    "{stem}.fp16.bin",
)
"""How a component's weights may be called, the best first."""

_TRAINERS = ("pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf.", "numpy.", "typing.")
"""Whose classes lie beside the weights in checkpoints of Lightning, as the published ones are."""


def read_component(folder: Path, stems: tuple[str, ...] = ("diffusion_pytorch_model",)) -> dict[str, torch.Tensor]:
    """The weights in a component's folder as diffusers or accelerate saves it: whole, in shards, or in half precision.

    Raises `UserError` where there are none, and as `read_weights`.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: copy the whole checkpoint, or name the folder above its parts")
    names = [name.format(stem=stem) for stem in stems for name in _FILES]
    for name in names:
        if (folder / name).is_file():
            return _shards(folder / name) if name.endswith(".json") else read_weights(folder / name)
    raise UserError(f"{folder} holds no weights ({names[0]} or the like): copy the whole checkpoint")


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The tensors of a `.safetensors` file, or of what `torch.save` wrote (its `state_dict`, if it has one).

    Nothing a pickle asks for is run: only tensors come out; settings a trainer left beside them are put aside. Raises
    `UserError` for a file that is missing, damaged, Git LFS's pointer to another, or that insists on running code.
    """
    if not file.is_file():
        raise UserError(f"no file {file}: check its name, or copy the whole checkpoint")
    with file.open("rb") as opened:
        if opened.read(len(_LFS)) == _LFS:
            raise UserError(f"{file} is Git LFS's pointer and not the weights: fetch them with `git lfs pull`")
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except SafetensorError as error:
            raise UserError(f"{file} is not a readable safetensors file ({error}): copy it again") from error
    content = _unpickled(file)
    content = content.get("state_dict", content) if isinstance(content, dict) else {}
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise UserError(f"{file} holds no weights by name: choose a checkpoint of the whole model")
    return tensors


def read_json(file: Path) -> dict[str, object]:
    """A JSON object; `UserError` for a file that is missing or is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"no file {file}: copy the whole checkpoint, or name the folder above its parts") from error
    except ValueError as error:
        raise UserError(f"{file} is not readable JSON ({error}): copy it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no JSON object: copy it again")
    return content


def _shards(index: Path) -> dict[str, torch.Tensor]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise UserError(f"{index} does not say which file holds which weight: copy it again")
    files = sorted(set(places.values()))
    if any(Path(name).name != name for name in files):
        raise UserError(f"{index} names files outside its folder: copy the checkpoint again")
    found = {key: tensor for name in files for key, tensor in read_weights(index.with_name(name)).items()}
    lost = sorted(set(places) - set(found))
    if lost:
        raise UserError(f"{index.with_name(places[lost[0]])} lacks {lost[0]}: copy it again")
    return found


class _StandIn:
    """Takes the place of a trainer's class: keeps nothing, does nothing."""

    def __new__(cls, *_: object, **__: object) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def _unpickled(file: Path) -> object:
    refusal = f"{file} holds more than tensors, and what it holds is not run here: convert it to safetensors"
    whole = zipfile.is_zipfile(file)  # what torch.save wrote before 1.6 is none, and cannot be mapped
    try:
        asked = get_unsafe_globals_in_checkpoint(str(file)) if whole else []
        inert: list[Callable[..., object] | tuple[Callable[..., object], str]]
        inert = [(_StandIn, name) for name in asked if name.startswith(_TRAINERS)]
        with safe_globals(inert):
            content: object = torch.load(file, map_location="cpu", weights_only=True, mmap=whole)
    except UnpicklingError as error:
        raise UserError(refusal) from error
    except (RuntimeError, ValueError, EOFError, KeyError) as error:
        raise UserError(f"{file} is not a readable checkpoint ({str(error).splitlines()[0]}): copy it again") from error
    return content
