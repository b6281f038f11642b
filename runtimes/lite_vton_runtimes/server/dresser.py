"""The server's own work: photos to what a network is told, try-ons on its backends, results pasted into the photo."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.person.keypoints import keypoints_of
from lite_vton.person.parse import parse_of
from lite_vton.photo.files import Photo, read_mask, read_photo, save_photo
from lite_vton.presets.config import MaskKind
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.tryon.known import Known
from lite_vton.tryon.prepare import Prepared, into_photo
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.sampling.pipeline import TryOnResult
from lite_vton_runtimes.sampling.sampler import Step
from lite_vton_runtimes.sampling.schedule import timesteps
from lite_vton_runtimes.server.forms import Form
from lite_vton_runtimes.server.one_queue import Stop
from lite_vton_runtimes.server.options import PhotoOptions, TryOnOptions
from lite_vton_runtimes.server.pictures import png_of
from lite_vton_runtimes.server.refusals import RefusedError, refusal

__all__ = ["Backends", "Dressed", "Dresser", "Model", "PreparePhotos"]

_KEPT = 4  # preparations; a page tries the same two photos again and again


class Model(Protocol):
    """A bundle on one backend, as `lite_vton.TryOn` is."""

    def __call__(
        self,
        inputs: TryOnInputs,
        *,
        steps: int | None = None,
        sampler: str | None = None,
        seed: int = 0,
        on_step: Callable[[Step], None] | None = None,
    ) -> TryOnResult:
        """One try-on."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


class PreparePhotos(Protocol):
    """From two photos to everything the network is told, as `lite_vton.tryon.photos.prepare_photos` does it."""

    def __call__(
        self,
        person: Photo,
        garment: Photo,
        height: int,
        width: int,
        *,
        category: str = "upper",
        mask: MaskKind = "improved",
        known: Known = ...,
    ) -> Prepared:
        """`UserError` for photos that will not do."""
        ...


@dataclass(frozen=True)
class Backends:
    """Backends with their precisions that this server runs, in the order they are offered, and how one is opened.

    `left_out` has a line for each of the others, with the reason.
    """

    offered: Sequence[tuple[str, str]]
    open: Callable[[str, str], Model]
    left_out: Sequence[str] = ()


@dataclass(frozen=True)
class Dressed:
    """A finished picture as PNG, as large as the person's photo, and how long each part took in seconds."""

    png: bytes
    seconds: Mapping[str, float] = field(default_factory=dict)


class Dresser:
    """One bundle's try-ons. For one thread.

    Holds one network at a time, and the last few preparations (crops at the model's size, not the photos). Photos are
    written to `save_photos` if that is given, and nowhere else.
    """

    def __init__(
        self, bundle: Bundle, backends: Backends, prepare_photos: PreparePhotos, save_photos: Path | None = None
    ) -> None:
        self._bundle = bundle
        self._backends = backends
        self._prepare_photos = prepare_photos
        self._save_photos = save_photos
        self._prepared: OrderedDict[bytes, Prepared] = OrderedDict()
        self._model: tuple[tuple[str, str], Model] | None = None

    def prepare(self, form: Form, options: PhotoOptions, stop: Stop) -> Prepared:
        """What the form's photos make. `RefusedError` for photos that will not do."""
        stop.check()
        key = _digest(form, options)
        if key in self._prepared:
            self._prepared.move_to_end(key)
            return self._prepared[key]
        try:
            prepared = self._fresh(form, options)
        except UserError as error:
            raise refusal(error) from error
        self._prepared[key] = prepared
        while len(self._prepared) > _KEPT:
            self._prepared.popitem(last=False)
        return prepared

    def try_on(self, form: Form, options: TryOnOptions, stop: Stop) -> Dressed:
        """The whole try-on here. `RefusedError` as `prepare`, and "options"."""
        backend, precision = self._choice(options)
        self._check_sampling(options)
        began = perf_counter()
        prepared = self.prepare(form, options, stop)
        ready = perf_counter()
        model = self._opened(backend, precision)
        stop.check()
        opened = perf_counter()
        try:
            result = model(
                prepared.inputs,
                steps=options.steps,
                sampler=options.sampler,
                seed=options.seed,
                on_step=lambda _: stop.check(),
            )
        except UserError as error:
            raise RefusedError("options", str(error)) from error
        sampled = perf_counter()
        png = self._pasted(form, prepared, result.picture)
        seconds = {
            "prepare": ready - began,
            "load": opened - ready,
            "run": sampled - opened,
            "paste": perf_counter() - sampled,
        }
        return Dressed(png, seconds)

    def paste(self, form: Form, options: PhotoOptions, stop: Stop) -> Dressed:
        """A crop that was sampled elsewhere, the form's file `picture`, in the photo: (H, W, 3) bytes, row by row."""
        prepared = self.prepare(form, options, stop)
        size = (*prepared.mask.shape, 3)
        content = form.file("picture")
        if len(content) != np.prod(size):
            raise RefusedError("form", f"picture has {len(content)} bytes: send {size[0]} rows of {size[1]} RGB pixels")
        return Dressed(self._pasted(form, prepared, np.frombuffer(content, np.uint8).reshape(size)))

    def close(self) -> None:
        """Free the network that is held."""
        if self._model is not None:
            self._model[1].close()
        self._model = None

    def _fresh(self, form: Form, options: PhotoOptions) -> Prepared:
        person = read_photo(form.file("person"), "the photo of the person")
        garment = read_photo(form.file("garment"), "the photo of the garment")
        files, model = form.files, self._bundle.manifest.model
        keypoints = files.get("keypoints")
        parse = files.get("parse")
        mask = files.get("garment_mask")
        known = Known(
            keypoints=None if keypoints is None else keypoints_of(keypoints, "the keypoints", options.person_index),
            parse=None if parse is None else parse_of(parse, "the parse"),
            garment_mask=None if mask is None else read_mask(mask, "the garment's mask"),
            person_index=options.person_index,
        )
        return self._prepare_photos(
            person, garment, model.height, model.width, category=options.category, mask=model.mask, known=known
        )

    def _pasted(self, form: Form, prepared: Prepared, picture: NDArray[np.uint8]) -> bytes:
        person = read_photo(form.file("person"), "the photo of the person")
        pasted = into_photo(person, prepared, picture)
        if self._save_photos is not None:
            self._save(form, person, pasted)
        return png_of(pasted, person.icc_profile)

    def _save(self, form: Form, person: Photo, pasted: NDArray[np.uint8]) -> None:
        assert self._save_photos is not None
        stem = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
        garment = read_photo(form.file("garment"), "the photo of the garment")
        save_photo(self._save_photos / f"{stem}-person.png", person.own, person.icc_profile)
        save_photo(self._save_photos / f"{stem}-garment.png", garment.own, garment.icc_profile)
        save_photo(self._save_photos / f"{stem}-result.png", pasted, person.icc_profile)

    def _choice(self, options: TryOnOptions) -> tuple[str, str]:
        for backend, precision in self._backends.offered:
            if options.backend in (None, backend) and options.precision in (None, precision):
                return backend, precision
        offered = ", ".join(f"{backend} {precision}" for backend, precision in self._backends.offered) or "none at all"
        asked = " ".join(word for word in (options.backend, options.precision) if word)
        raise RefusedError("options", f"this server has no backend {asked}: choose one of {offered}")

    def _check_sampling(self, options: TryOnOptions) -> None:
        if options.sampler is not None and options.sampler not in METHODS:
            raise RefusedError("options", f"unknown sampler {options.sampler!r}: choose one of {', '.join(METHODS)}")
        try:
            if options.steps is not None:
                timesteps(self._bundle.manifest.model.schedule, options.steps)
        except UserError as error:
            raise RefusedError("options", str(error)) from error

    def _opened(self, backend: str, precision: str) -> Model:
        if self._model is not None and self._model[0] == (backend, precision):
            return self._model[1]
        self.close()
        try:
            model = self._backends.open(backend, precision)
        except UserError as error:
            raise RefusedError("options", str(error)) from error
        self._model = (backend, precision), model
        return model


def _digest(form: Form, options: PhotoOptions) -> bytes:
    """Of all that a preparation is made of."""
    whole = hashlib.sha256(f"{options.category} {options.person_index}".encode())
    for name in ("person", "garment", "keypoints", "parse", "garment_mask"):
        part = form.files.get(name)
        whole.update(b"none" if part is None else hashlib.sha256(part).digest())
    return whole.digest()
