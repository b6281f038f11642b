"""What a fused graph is made from, and what its writer gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lite_vton.bundle import Artifact, ComponentTensors, KeptInFloat32
from lite_vton.presets.config import ModelConfig

if TYPE_CHECKING:
    from lite_vton.model.networks import Networks


__all__ = ["Fused", "Fuser", "Parts"]


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
