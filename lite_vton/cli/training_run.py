"""A training run from a dataset's folder to two files of weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.cli.choices import one_of
from lite_vton.cli.failures import StoppedError
from lite_vton.cli.screen import progress_bar
from lite_vton.cli.weights import load_model, run_files
from lite_vton.errors import UserError
from lite_vton.presets import ModelConfig, preset

if TYPE_CHECKING:
    from lite_vton.model.autoencoder import Autoencoder
    from training.loop import LoopConfig, OnStep
    from training.pictures import PicturePairs

__all__ = ["Schooling", "distill_model", "train_model"]


@dataclass(frozen=True)
class Schooling:
    """How long and how fast each network is trained; see `training.loop.LoopConfig`."""

    steps: int
    batch_size: int
    learning_rate: float
    seed: int

    def loop(self) -> LoopConfig:
        """For the training loop. Short runs warm up and save in proportion, and average over less."""
        from training.loop import LoopConfig

        return LoopConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=self.seed,
            warmup_steps=min(100, self.steps // 10),
            checkpoint_every=max(1, min(200, self.steps // 10)),
        )


def train_model(
    model: str,
    data: Path,
    output: Path,
    schooling: Schooling,
    *,
    resume: bool = False,
    autoencoder: Path | None = None,
) -> tuple[Path, Path]:
    """Autoencoder, unless one is given, then U-Net; returns the files of their weights.

    Raises `StoppedError` when interrupted, `UserError` for a dataset, a preset or an output that will not do.
    """
    import numpy as np

    from lite_vton.model.networks import Networks, save_networks
    from training.autoencoder import train_autoencoder
    from training.denoiser import train_denoiser
    from training.latents import encode_pairs

    config = preset(model)
    _refuse(output, resume)
    given = None if autoencoder is None else _load_autoencoder(config, autoencoder)
    with _resumable(output):
        pictures = _read(config, data)
        if given is None:
            # Composites too: the encoder will meet their grey holes.
            faces = np.concatenate([pictures.person, pictures.masked_person])
            with _bar("autoencoder", schooling) as on_step:
                given = train_autoencoder(
                    config, faces, schooling.loop(), output / "autoencoder", resume=resume, on_step=on_step
                )
        pairs = encode_pairs(pictures, *given)
        with _bar("U-Net", schooling) as on_step:
            unet = train_denoiser(config, pairs, schooling.loop(), output / "unet", resume=resume, on_step=on_step)
    files = run_files(output)
    save_networks(Networks(config, given[0].eval(), unet, given[1]), *files)
    return files


def distill_model(
    model: str,
    teacher: str,
    data: Path,
    output: Path,
    schooling: Schooling,
    *,
    kind: str = "output",
    resume: bool = False,
) -> tuple[Path, Path]:
    """A student's U-Net beside its teacher's; returns the files of its weights, the teacher's autoencoder included.

    Raises `StoppedError` when interrupted, `UserError` for a teacher with another autoencoder or picture size.
    """
    from lite_vton.model.denoiser import Denoiser
    from lite_vton.model.networks import Networks, save_networks
    from training.denoiser import train_denoiser
    from training.latents import encode_pairs
    from training.losses import DISTILLATIONS

    config = preset(model)
    one_of("distillation", kind, DISTILLATIONS)
    _refuse(output, resume)
    taught = load_model(teacher).networks
    if (taught.config.autoencoder, taught.config.schedule) != (config.autoencoder, config.schedule):
        raise UserError(
            f"{teacher} ({taught.config.name}) and {model} have different latents or noise schedules: "
            "choose a teacher with the student's autoencoder"
        )
    with _resumable(output):
        pairs = encode_pairs(_read(config, data), taught.autoencoder, taught.latent_scale)
        with _bar("student", schooling) as on_step:
            unet = train_denoiser(
                config,
                pairs,
                schooling.loop(),
                output / "unet",
                distill=kind,
                teacher=Denoiser(taught.config, taught.unet),
                resume=resume,
                on_step=on_step,
            )
    files = run_files(output)
    save_networks(Networks(config, taught.autoencoder, unet, taught.latent_scale), *files)
    return files


def _refuse(output: Path, resume: bool) -> None:
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file: choose a folder for the run")
    if not resume and output.is_dir() and any(output.iterdir()):
        raise UserError(f"{output} exists: go on with it with --resume, or choose another folder")


def _load_autoencoder(config: ModelConfig, file: Path) -> tuple[Autoencoder, float]:
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    from lite_vton.model.networks import build_autoencoder

    if not file.is_file():
        raise UserError(f"no autoencoder at {file}: give the autoencoder.safetensors of a run")
    autoencoder = build_autoencoder(config.autoencoder)
    try:
        autoencoder.load_state_dict(load_file(file))
        with safe_open(file, framework="pt") as opened:
            scale = float((opened.metadata() or {}).get("latent_scale", config.autoencoder.latent_scale))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{file} is no autoencoder of {config.name}: give the one of a run of that preset") from error
    return autoencoder.eval(), scale


def _read(config: ModelConfig, data: Path) -> PicturePairs:
    from lite_vton.data.viton_hd import VitonHD
    from training.pictures import read_pictures

    samples = VitonHD(data, "train", height=config.height, width=config.width)
    if len(samples) == 0:
        raise UserError(f"{data} has no training pairs: draw some with `lite-vton data synthesize`")
    with progress_bar("reading pairs", len(samples)) as update:
        return read_pictures(samples, workers=os.cpu_count() or 1, progress=lambda done: update(done, ""))


@contextmanager
def _bar(name: str, schooling: Schooling) -> Iterator[OnStep]:
    with progress_bar(name, schooling.steps) as update:

        def on_step(step: int, terms: dict[str, float]) -> None:
            update(step + 1, " ".join(f"{term} {value:.4f}" for term, value in terms.items()))

        yield on_step


@contextmanager
def _resumable(output: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise StoppedError(f"stopped; go on with the same command and --resume (the run is in {output})") from error
