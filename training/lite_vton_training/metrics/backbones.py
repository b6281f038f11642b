"""Where the weights of LPIPS' and FID's networks come from: a file the user names, or torch's cache. Never the net."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lite_vton.errors import UserError
from lite_vton.model.finite_weights import refuse_not_finite
from lite_vton.model.importing.files import NoWeightsError, read_weights
from lite_vton_training.metrics.inception import Inception
from lite_vton_training.metrics.lpips import Lpips

__all__ = ["ALEXNET", "INCEPTION", "Backbone", "Backbones", "LeftOut", "Source", "find_backbones"]


@dataclass(frozen=True)
class Backbone:
    """A published network: the metrics it is for, the option that names its file, and the names it is published as.

    Those names end with the first 8 digits of the file's SHA-256, but for the one of clean-fid.
    """

    metrics: str
    option: str
    network: str
    files: tuple[str, ...]


ALEXNET = Backbone(
    "LPIPS", "--lpips-weights", "torchvision's AlexNet", ("alexnet-owt-7be5be79.pth", "alexnet-owt-4df8aa71.pth")
)
INCEPTION = Backbone(
    "FID and KID",
    "--inception-weights",
    "torch-fidelity's Inception",
    (
        "weights-inception-2015-12-05-6726825d.pth",
        "pt_inception-2015-12-05-6726825d.pth",
        "inception-2015-12-05.pt",
    ),
)


@dataclass(frozen=True)
class Source:
    """The file some metrics' weights came from; `published` whether its checksum is the published file's."""

    metrics: str
    file: str
    sha256: str
    published: bool


@dataclass(frozen=True)
class LeftOut:
    """Metrics that cannot be computed here; `why` says what is missing and where to put it."""

    metrics: str
    why: str


@dataclass(frozen=True)
class Backbones:
    """The networks that could be loaded. None of them is needed for PSNR and SSIM."""

    lpips: Lpips | None = None
    inception: Inception | None = None
    sources: tuple[Source, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = field(default=())


def find_backbones(lpips: Path | None = None, inception: Path | None = None) -> Backbones:
    """Those whose weights are at the given file or, without one, in torch's cache (`$TORCH_HOME/hub/checkpoints`).

    A `.safetensors` file, a PyTorch one without code in it, or clean-fid's TorchScript, whose code is not run.
    `UserError` for a given file that is missing, unreadable or of another network; a network that was not given and is
    not in the cache is only left out.
    """
    sources: list[Source] = []
    left_out: list[LeftOut] = []

    def load(backbone: Backbone, given: Path | None) -> Mapping[str, Tensor] | None:
        path = _path(backbone, given)
        if path is None:
            left_out.append(LeftOut(backbone.metrics, _advice(backbone)))
            return None
        state = _read(backbone, path)
        sources.append(_source(backbone, path))
        return state

    alexnet, inception_v3 = load(ALEXNET, lpips), load(INCEPTION, inception)
    return Backbones(
        lpips=None if alexnet is None else Lpips(alexnet),
        inception=None if inception_v3 is None else Inception(inception_v3),
        sources=tuple(sources),
        left_out=tuple(left_out),
    )


def _cache() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _path(backbone: Backbone, given: Path | None) -> Path | None:
    if given is not None:
        if not given.is_file():
            raise UserError(f"no weights at {given}: {backbone.option} wants the file of {backbone.network}")
        return given
    return next((path for name in backbone.files if (path := _cache() / name).is_file()), None)


def _advice(backbone: Backbone) -> str:
    return f"needs {backbone.network}: save {backbone.files[0]} in {_cache()}, or name the file with {backbone.option}"


def _read(backbone: Backbone, path: Path) -> Mapping[str, Tensor]:
    try:
        state = read_weights(path)
    except NoWeightsError as error:
        raise UserError(f"{path} is no state dict: {backbone.option} wants the file of {backbone.network}") from error
    except UserError as error:
        raise UserError(f"{path} holds no weights that can be read without running code: copy it again") from error
    found = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    refuse_not_finite(found, path)
    return {name: tensor.float() for name, tensor in found.items()}


def _source(backbone: Backbone, path: Path) -> Source:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    published = any(digest.startswith(name.rpartition("-")[2].removesuffix(".pth")) for name in backbone.files)
    return Source(backbone.metrics, path.name, digest, published)
