"""The artifacts of a plan, written into a bundle's folder, each format component by component."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lite_vton.atomic import scratch_folder
from lite_vton.bundle import Artifact, ComponentFiles, KeptInFloat32
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec, components_of
from lite_vton.model.networks import Networks
from lite_vton.presets.config import ModelConfig
from lite_vton_export.bundle.calibration import Feeds
from lite_vton_export.bundle.plan import Plan
from lite_vton_export.formats import Format, load_attribute
from lite_vton_export.onnx.write import trace_onnx
from lite_vton_export.options import ExportOptions
from lite_vton_export.parity.golden import Trajectory
from lite_vton_export.precision.half_safety import HalfSafety, half_safety
from lite_vton_runtimes.memory import return_to_the_system

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Failed", "Origin", "write_artifacts"]

Failed = Callable[[str, str], None]
"""Told the name of an artifact that could not be made or did not pass, and why."""


@dataclass(frozen=True)
class Origin:
    """What artifacts are made of: networks, or for a model that has none the float32 ONNX file of each component."""

    config: ModelConfig
    latent_scale: float
    networks: Networks | None
    onnx: Mapping[str, Path] = field(default_factory=dict)

    def module(self, spec: ComponentSpec) -> nn.Module | None:
        """The module of a component; None without networks."""
        return None if self.networks is None else spec.wrap(self.networks)


def write_artifacts(
    origin: Origin,
    plan: Plan,
    folder: Path,
    golden: Trajectory,
    feeds: Mapping[str, Sequence[Feeds]],
    options: ExportOptions,
    say: Callable[[str], None],
    failed: Failed | None = None,
) -> tuple[dict[str, Artifact], dict[str, KeptInFloat32]]:
    """Write everything in `plan`; the artifacts by folder name, and by component what fp16 keeps in float32.

    `feeds` are the inputs of calls to calibrate on, by component. A format that cannot be written raises `UserError`,
    or with `failed` is named to it, and nothing of it stays.
    """
    artifacts: dict[str, Artifact] = {}
    with scratch_folder() as scratch:
        needed = plan.is_half or origin.networks is None
        safety = _safety(origin, scratch, golden, feeds, say) if needed else {}
        for row, precisions in plan.by_format.items():
            try:
                artifacts |= _write_format(origin, row, precisions, folder, feeds, safety, options, say)
            except UserError as error:
                if failed is None:
                    raise
                for precision in precisions:
                    shutil.rmtree(folder / f"{row.name}-{precision}", ignore_errors=True)
                    failed(f"{row.name}-{precision}", str(error))
    return artifacts, {name: found.kept for name, found in safety.items() if plan.is_half}


def _safety(
    origin: Origin,
    scratch: Path,
    golden: Trajectory,
    feeds: Mapping[str, Sequence[Feeds]],
    say: Callable[[str], None],
) -> dict[str, HalfSafety]:
    """What float16 cannot hold in each component, along the golden trajectory and the calls calibrated on."""
    found = {}
    for component, spec in components_of(origin.config).items():
        say(f"ranges {component}")
        module = origin.module(spec)
        calls = [call.inputs for call in golden.calls if call.component == component]
        if module is None:
            traced = origin.onnx[component]
        else:
            traced = trace_onnx(module, spec, origin.config, scratch / component)
        found[component] = half_safety(traced, module, [*calls, *feeds.get(component, ())])
    return found


def _write_format(
    origin: Origin,
    row: Format,
    precisions: Sequence[str],
    folder: Path,
    feeds: Mapping[str, Sequence[Feeds]],
    safety: Mapping[str, HalfSafety],
    options: ExportOptions,
    say: Callable[[str], None],
) -> dict[str, Artifact]:
    """Every precision of one format, component by component, so that each network is traced once."""
    exporter, reader = load_attribute(row.exporter), load_attribute(row.reader)
    components: dict[str, dict[str, ComponentFiles]] = {precision: {} for precision in precisions}
    for component, spec in components_of(origin.config).items():
        return_to_the_system()  # a converter leaves gigabytes behind that the next one cannot use
        say(f"{row.name} {component}")
        more: dict[str, Any] = {"safety": safety.get(component)} if row.keeps_float32 else {}
        paths: dict[str, Path] = exporter(
            origin.module(spec),
            spec,
            origin.config,
            {precision: folder / f"{row.name}-{precision}" / component for precision in precisions},
            latent_scale=origin.latent_scale,
            calibration=feeds.get(component, ()),
            **more,
            **options.of(row.name),
        )
        for precision, path in paths.items():
            model = path.relative_to(folder).as_posix()
            components[precision][component] = ComponentFiles(model=model, precision_found=reader(path))
    for precision in precisions:
        if row.layout is not None and origin.networks is not None:
            load_attribute(row.layout)(origin.networks, folder / f"{row.name}-{precision}")
        elif row.layout is not None:
            _copy_layout(origin, folder / f"{row.name}-{precision}")
    return {
        f"{row.name}-{precision}": Artifact(
            format=row.name, precision=precision, components=files, options=options.told(row.name)
        )
        for precision, files in components.items()
    }


def _copy_layout(origin: Origin, folder: Path) -> None:
    """The settings that came with somebody's ONNX files, for files of another precision beside them."""
    given = next(iter(origin.onnx.values())).parents[1]
    for settings in given.rglob("*.json"):
        target = folder / settings.relative_to(given)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(settings, target)
