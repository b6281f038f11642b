"""Fused artifacts: a whole try-on, prepared arrays and noise in, finished crop out, as one graph."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from export.formats import Format, load_attribute
from export.fused_tensors import fused_name
from export.plan import Plan
from lite_vton.bundle import Artifact, ComponentTensors, FusedArtifact, KeptInFloat32
from lite_vton.errors import UserError
from lite_vton.presets import ModelConfig

if TYPE_CHECKING:
    from export.artifacts import Failed
    from lite_vton.model.networks import Networks

__all__ = ["Fused", "Fuser", "Parts", "write_fused"]


@dataclass(frozen=True)
class Parts:
    """What one fused artifact is made of: the folder of its bundle, and the artifact whose networks go into it.

    `steps` are those of the golden trajectory, for formats that have to know. `networks` are None for a bundle that
    has no weights. `kept` is what fp16 keeps in float32, by component.
    """

    folder: Path
    config: ModelConfig
    latent_scale: float
    artifact: Artifact
    steps: int
    networks: Networks | None
    kept: Mapping[str, KeptInFloat32]

    @property
    def files(self) -> Mapping[str, Path]:
        """The file of each component."""
        return {name: self.folder / files.model for name, files in self.artifact.components.items()}


@dataclass(frozen=True)
class Fused:
    """A written graph: its file or folder, its tensors, and its steps, None where they are among its inputs."""

    path: Path
    tensors: ComponentTensors
    steps: int | None


class Fuser(Protocol):
    """What writes the fused form of a format; raises `UserError` where that cannot be done."""

    def __call__(self, parts: Parts, folder: Path) -> Fused:
        """Write into `folder`."""
        ...


def write_fused(
    folder: Path,
    plan: Plan,
    artifacts: Mapping[str, Artifact],
    config: ModelConfig,
    latent_scale: float,
    steps: int,
    networks: Networks | None,
    kept: Mapping[str, KeptInFloat32],
    say: Callable[[str], None],
    failed: Failed | None = None,
) -> dict[str, FusedArtifact]:
    """Write the fused form of everything in `plan` beside it, in the bundle's `folder`; by folder name.

    `artifacts` are those that the folder holds. What cannot be fused raises `UserError`, or with `failed` is named to
    it, and nothing of it stays.
    """
    found: dict[str, FusedArtifact] = {}
    for row, precision in plan.artifacts if plan.fused else ():
        name, source = fused_name(row.name, precision), f"{row.name}-{precision}"
        if row.fused is None or source not in artifacts:  # the latter could not be made itself
            continue
        say(f"fuse {source}")
        try:
            parts = Parts(folder, config, latent_scale, artifacts[source], steps, networks, kept)
            found[name] = _written(row, precision, parts, folder / name)
        except UserError as error:
            if failed is None:
                raise
            shutil.rmtree(folder / name, ignore_errors=True)
            failed(name, str(error))
    return found


def _written(row: Format, precision: str, parts: Parts, folder: Path) -> FusedArtifact:
    assert row.fused is not None
    folder.mkdir(parents=True, exist_ok=True)
    fuser: Fuser = load_attribute(row.fused)
    fused = fuser(parts, folder)
    return FusedArtifact(
        format=row.name,
        precision=precision,
        model=fused.path.relative_to(parts.folder).as_posix(),
        tensors=fused.tensors,
        method=parts.config.default_sampler,
        steps=fused.steps,
        precision_found=load_attribute(row.reader)(fused.path),
    )
