"""Write the fused form of each artifact: a whole try-on as one graph."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.bundle import Artifact, FusedArtifact, KeptInFloat32
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton_export.bundle.plan import Plan
from lite_vton_export.formats import Format, load_attribute
from lite_vton_export.fused.tensors import fused_name

if TYPE_CHECKING:
    from lite_vton.model.networks import Networks
    from lite_vton_export.bundle.artifacts import Failed

from lite_vton_export.fused.parts import Fuser, Parts

__all__ = ["write_fused"]


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
