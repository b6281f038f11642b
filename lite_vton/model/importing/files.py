"""Tensors out of other people's files, by name: mapped from the disk where that is possible, and no code run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lite_vton.errors import UserError
from lite_vton.model.importing.pickled_checkpoint import unpickled

__all__ = ["COMPONENT", "NoWeightsError", "Weights", "read_component", "read_json", "read_weights"]

Weights = dict[str, torch.Tensor]
"""Tensors by name, in whatever precision they are stored in."""

COMPONENT = "diffusion_pytorch_model"
"""What diffusers calls the weights of a component."""

_LFS = b"version https://git-lfs"

_VARIANTS = ("", ".fp16", ".bf16", ".non_ema")
"""What weights may be a variant of, the best first: whole, in half precision, without a moving average."""

_WRAPPERS = ("model_ema", "ema", "params_ema", "state_dict", "model_state_dict", "model", "module", "params", "net")
"""Under what name trainers put the weights into a checkpoint, the moving average first."""

_DEPTH = 4  # a wrapper in a wrapper


class NoWeightsError(UserError):
    """A file that can be read and holds no tensors by name."""


def read_component(folder: Path, stems: tuple[str, ...] = (COMPONENT,)) -> Weights:
    """The weights in a component's folder as diffusers or accelerate saves it: whole, in shards, or in half precision.

    Raises `UserError` where there are none, and as `read_weights`.
    """
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: copy the whole checkpoint, or name the folder above its parts")
    names = list(_names(stems))
    for name in names:
        if (folder / name).is_file():
            return _shards(folder / name) if name.endswith(".json") else read_weights(folder / name)
    raise UserError(f"{folder} holds no weights ({names[0]} or the like): copy the whole checkpoint")


def read_weights(file: Path) -> Weights:
    """The tensors of a `.safetensors` file, or of what `torch.save` wrote: its `state_dict`, its `model`, or itself.

    Nothing a pickle asks for is run: only tensors come out; settings a trainer left beside them are put aside. Raises
    `UserError` for a file that is missing, damaged, Git LFS's pointer to another, or that insists on running code.
    """
    if not file.is_file():
        raise UserError(f"no file {file}: check its name, or copy the whole checkpoint")
    with file.open("rb") as opened:
        start = opened.read(len(_LFS))
    if start == _LFS:
        raise UserError(f"{file} is Git LFS's pointer and not the weights: fetch them with `git lfs pull`")
    if file.suffix == ".safetensors" or start[8:9] == b"{":  # a blob of a cache has no suffix
        try:
            return load_file(file)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{file} is not a readable safetensors file ({reason[:200]}): copy it again") from error
    tensors = _tensors(unpickled(file))
    if not tensors:
        raise NoWeightsError(f"{file} holds no weights by name: choose a checkpoint of the whole model")
    return tensors


def read_json(file: Path) -> dict[str, object]:
    """A JSON object; `UserError` for a file that is missing or is none."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        if text.startswith(_LFS.decode()):
            raise UserError(f"{file} is Git LFS's pointer and not the file: fetch it with `git lfs pull`")
        content = json.loads(text)
    except FileNotFoundError as error:
        raise UserError(f"no file {file}: copy the whole checkpoint, or name the folder above its parts") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{file} is not readable JSON ({reason[:200]}): copy it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} holds no JSON object: copy it again")
    return content


def _names(stems: tuple[str, ...]) -> Iterator[str]:
    """How a component's files may be called, the best first."""
    for stem in stems:
        for suffix in ("safetensors", "bin"):
            for variant in _VARIANTS:
                yield f"{stem}{variant}.{suffix}"
                yield f"{stem}.{suffix}.index{variant}.json"


def _tensors(content: object) -> Weights:
    """The weights by name in what a checkpoint holds, out of as many wrappers as they lie in."""
    for _ in range(_DEPTH):
        if not isinstance(content, dict):
            return {}
        inner = [content[name] for name in _WRAPPERS if isinstance(content.get(name), dict)]
        filled = [each for each in inner if _has_tensors(each)]
        if filled:
            content = filled[0]
        elif inner and not _has_tensors(content):
            content = inner[0]
        else:
            break
    if not isinstance(content, dict):
        return {}
    return {
        name: value.detach()
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }


def _has_tensors(content: dict[object, object]) -> bool:
    return any(isinstance(value, torch.Tensor) for value in content.values())


def _shards(index: Path) -> Weights:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise UserError(f"{index} does not say which file holds which weight: copy it again")
    files = sorted(set(places.values()))
    if any(Path(name).name != name or name in ("", "..") or "\\" in name for name in files):
        raise UserError(f"{index} names files outside its folder: copy the checkpoint again")
    found: Weights = {}
    for name in files:
        shard = read_weights(index.with_name(name))
        twice = sorted(found.keys() & shard.keys())
        if twice:
            raise UserError(f"{index.with_name(name)} holds {twice[0]}, and so does another shard: copy it again")
        found |= shard
    lost = sorted(set(places) - set(found))
    if lost:
        raise UserError(f"{index.with_name(places[lost[0]])} lacks {lost[0]}: copy it again")
    return found
