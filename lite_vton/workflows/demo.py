"""The demo, as one story: draw people, export the model, verify it, run it on each backend, measure, show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.atomic import is_vacant, write_text
from lite_vton.bundle import Bundle
from lite_vton.data.held_out import held_out_pairs
from lite_vton.errors import UserError
from lite_vton.photo.contact_sheet import Column, contact_sheet
from lite_vton.tryon.inputs import to_picture
from lite_vton.workflows.benchmark import combinations, measure
from lite_vton.workflows.export import export_model
from lite_vton.workflows.progress import stages
from lite_vton_export.verify.run import VerificationError, verify
from lite_vton_runtimes.session import TryOn

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton.data.viton_hd import TryOnSample

__all__ = ["Chain", "show_chain"]

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Chain:
    """What the demo made, and a line for what it left out.

    `lowest_psnr_db` is over every pair and backend, against torch, inside the mask.
    """

    written: tuple[Path, ...]
    bundle: Path
    report: str
    origin: str
    lowest_psnr_db: float
    left_out: tuple[str, ...]


def show_chain(model: str, folder: Path, pairs: int, *, overwrite: bool = False) -> Chain:
    """Fill `folder`: `bundle/`, `verify.json`, `benchmark.*` and `contact-sheet.png`.

    Raises `VerificationError` if the export is not what torch computes, `UserError` for a folder in use.
    """
    from lite_vton.photo.files import save_photo

    _refuse(folder, overwrite)
    target = folder / "bundle"

    export_model(model, target, ("onnx",), ("fp32", "fp16"), overwrite=overwrite)
    bundle = Bundle.open(target)
    with stages("verifying") as say:
        verified = verify(bundle, on_progress=say)
    if not verified:
        raise VerificationError(f"the bundle in {target} failed verification: {verified}", verified)

    config = bundle.manifest.model
    with held_out_pairs(pairs, config.height, config.width, paired=False, mask=config.mask) as drawn:
        samples = list(drawn)
    results = _on_each_backend(bundle, samples)
    measured = measure(target, folder, "torch,onnxruntime", "", warmup=1, runs=5, targets=("try_on",))

    sheet = folder / "contact-sheet.png"
    save_photo(sheet, contact_sheet([*_given(samples), *(Column(name, rows) for name, rows in results.items())]))
    write_text(folder / "verify.json", (target / "verify.json").read_text(encoding="utf-8"))
    return Chain(
        written=(sheet, folder / "verify.json", *measured.written, target),
        bundle=target,
        report=str(verified),
        origin=bundle.manifest.source.checkpoint,
        lowest_psnr_db=_agreement(samples, results),
        left_out=measured.left_out,
    )


def _refuse(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: choose a folder")
    if folder.is_dir() and not is_vacant(folder) and not overwrite:
        raise UserError(f"{folder} exists: choose another output or pass --overwrite")


def _on_each_backend(bundle: Bundle, samples: list[TryOnSample]) -> dict[str, list[Picture]]:
    """Results by runtime, torch first: the others are compared with it."""
    results: dict[str, list[Picture]] = {}
    for backend, precision in combinations(bundle, "torch,onnxruntime", ""):
        with TryOn(bundle, backend, precision) as model:
            results[model.runtime.name] = [model(sample.inputs).picture for sample in samples]
    return results


def _given(samples: list[TryOnSample]) -> list[Column]:
    """What the network is told, for people to see."""
    person = [to_picture(sample.inputs.person) for sample in samples]
    inside = [sample.inputs.mask[0, 0, :, :, None] > 0.5 for sample in samples]
    return [
        Column("person", person),
        Column("garment", [sample.garment for sample in samples]),
        Column("warp", [to_picture(sample.inputs.masked_person) for sample in samples]),
        Column("mask", [np.where(m, np.uint8(128), p).astype(np.uint8) for m, p in zip(inside, person, strict=True)]),
    ]


def _agreement(samples: list[TryOnSample], results: dict[str, list[Picture]]) -> float:
    """Lowest PSNR in dB, peak 255, of any backend's picture against the first one's, inside the mask; 100 if equal."""
    reference, *others = results.values()
    lowest = 100.0
    for pictures in others:
        for sample, ours, theirs in zip(samples, reference, pictures, strict=True):
            inside = sample.inputs.mask[0, 0] > 0.5
            error = float(np.mean((ours[inside].astype(np.float64) - theirs[inside]) ** 2))
            if error > 0:
                lowest = min(lowest, float(10 * np.log10(255.0**2 / error)))
    return lowest
