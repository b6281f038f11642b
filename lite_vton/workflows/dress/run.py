"""One try-on on photographs, from files to a file. Imports no torch unless its backend is torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import as_category
from lite_vton.errors import UserError
from lite_vton.tryon.inputs import to_picture
from lite_vton.workflows.backends import usable_precision
from lite_vton.workflows.dress.pictures import pictures_on_the_way, save_pictures
from lite_vton.workflows.dress.sampling import check_sampling
from lite_vton.workflows.progress import progress_bar
from lite_vton_runtimes.backends import BACKENDS
from lite_vton_runtimes.sampling.pipeline import decode

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton.photo.files import Photo
    from lite_vton.tryon.prepare import Prepared
    from lite_vton_runtimes.sampling.pipeline import TryOnResult
    from lite_vton_runtimes.session import TryOn

__all__ = ["Dressed", "How", "Photographs", "dress", "refuse_existing"]


@dataclass(frozen=True)
class Photographs:
    """The files a try-on is made from."""

    person: Path
    garment: Path
    keypoints: Path | None = None
    pose_model: Path | None = None
    garment_mask: Path | None = None
    parse: Path | None = None
    mask: Path | None = None
    category: str = "upper"
    person_index: int | None = None


@dataclass(frozen=True)
class How:
    """Backend and sampling; None is the bundle's own."""

    backend: str = "onnxruntime"
    precision: str | None = None
    provider: str | None = None
    steps: int | None = None
    sampler: str | None = None
    seed: int = 0
    detail: bool = True
    low_memory: bool = False
    fused: bool = False


@dataclass(frozen=True)
class Dressed:
    """What was made: the files, the size in pixels, the runtime, where the weights came from, and the time."""

    written: tuple[Path, ...]
    height: int
    width: int
    runtime: str
    origin: str
    sampling_s: float


def dress(
    path: Path,
    photographs: Photographs,
    how: How,
    output: Path,
    *,
    save_steps: Path | None = None,
    overwrite: bool = False,
) -> Dressed:
    """Read everything, sample on the crop around the torso, paste it back into the photo, and save it at `output`.

    Raises `UserError` for any file or option that will not do; then nothing is written.
    """
    from lite_vton.bundle import Bundle
    from lite_vton.photo.encoding import written_format
    from lite_vton.photo.files import load_photo, save_photo
    from lite_vton.tryon.prepare import into_photo
    from lite_vton_runtimes.session import TryOn

    written_format(output)
    for target in (output, save_steps):
        if target is not None:
            refuse_existing(target, overwrite)
    _refuse_input(output, photographs)
    as_category(photographs.category)
    bundle = Bundle.open(path)
    precision = usable_precision(bundle, how.backend, how.precision)
    check_sampling(bundle.manifest.model.schedule, how.sampler, how.steps)
    _check_provider(how)
    if how.fused:
        _check_fused(bundle, how, precision, save_steps)
    person = load_photo(photographs.person)
    written_format(output, person.height, person.width)
    prepared = _prepare(bundle, photographs, person)

    with TryOn(
        bundle, how.backend, precision, provider=how.provider, low_memory=how.low_memory, fused=how.fused
    ) as model:
        began = perf_counter()
        steps = bundle.manifest.default_steps if how.steps is None else how.steps
        with progress_bar("sampling", steps) as update:
            result = model(
                prepared.inputs,
                steps=how.steps if how.fused else steps,
                sampler=how.sampler,
                seed=how.seed,
                detail=how.detail,
                on_step=None if how.fused else lambda step: update(step.index + 1, ""),
            )
        sampling_s = perf_counter() - began
        pasted = into_photo(person, prepared, result.picture)
        save_photo(output, pasted, person.icc_profile)
        written: tuple[Path, ...] = (output,)
        if save_steps is not None:
            save_pictures(save_steps, {**pictures_on_the_way(prepared), **_sampled(model, result)})
            written = (output, save_steps)
    return Dressed(
        written, person.height, person.width, model.runtime.name, bundle.manifest.source.checkpoint, sampling_s
    )


def refuse_existing(target: Path, overwrite: bool) -> None:
    """A `UserError` for a target that exists, before any work is done."""
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists: choose another output or pass --overwrite")


def _refuse_input(output: Path, photographs: Photographs) -> None:
    """A `UserError` for an output that is one of the files it is made from: that one would be lost."""
    given = (value for value in vars(photographs).values() if isinstance(value, Path))
    if output.exists() and any(file.exists() and file.samefile(output) for file in given):
        raise UserError(f"{output} is one of the files the picture is made from: choose another output")


def _check_provider(how: How) -> None:
    """Refuse, before any photo is read, a provider that this machine or the backend has not."""
    if how.provider is None:
        return
    if how.backend != "onnxruntime":
        raise UserError(f"backend {how.backend!r} has no execution provider {how.provider!r}: leave it out")
    from lite_vton_runtimes.onnxruntime.providers import known_provider

    known_provider(how.provider)


def _check_fused(bundle: Bundle, how: How, precision: str, save_steps: Path | None) -> None:
    """Refuse, before any photo is read, what a fused graph cannot do."""
    from lite_vton_runtimes.fused import check_choices, fused_artifact

    if how.low_memory or save_steps is not None or not how.detail:
        raise UserError(
            "a fused graph shows no parts: leave --fused out, or --low-memory, --save-steps and --no-detail"
        )
    if not BACKENDS[how.backend].fused:
        able = ", ".join(row.name for row in BACKENDS.values() if row.fused)
        raise UserError(f"backend {how.backend!r} has no fused form: choose one of {able}, or leave --fused out")
    fused = fused_artifact(bundle, str(BACKENDS[how.backend].artifact), precision)
    check_choices(fused, steps=how.steps, method=how.sampler)


def _prepare(bundle: Bundle, photographs: Photographs, person: Photo) -> Prepared:
    from lite_vton.person.keypoints import read_keypoints
    from lite_vton.person.parse import read_parse
    from lite_vton.photo.files import load_mask, load_photo
    from lite_vton.tryon.known import Known
    from lite_vton.tryon.photos import prepare_photos

    def marked(path: Path | None) -> NDArray[np.uint8] | None:
        return None if path is None else load_mask(path)

    category = as_category(photographs.category)
    model = bundle.manifest.model
    pose = photographs.keypoints
    known = Known(
        keypoints=None if pose is None else read_keypoints(pose, photographs.person_index),
        parse=None if photographs.parse is None else read_parse(photographs.parse),
        repaint=marked(photographs.mask),
        garment_mask=marked(photographs.garment_mask),
        person_index=photographs.person_index,
        pose_model=photographs.pose_model,
    )
    return prepare_photos(
        person,
        load_photo(photographs.garment),
        model.height,
        model.width,
        category=category,
        mask=model.mask,
        known=known,
    )


def _sampled(model: TryOn, result: TryOnResult) -> dict[str, NDArray[np.uint8]]:
    """What the network thinks the clean picture is, at every step, and what came of it."""
    manifest = model.bundle.manifest
    pictures = {}
    for step in result.steps:
        latent = step.x_0.astype("float32")
        decoded = decode(model.runtime, latent, manifest.latent_scale, manifest.model.decoder_tile)
        pictures[f"step-{step.index:03d}-t{step.timestep:03d}"] = to_picture(decoded)
    return {**pictures, "result": result.picture}
