"""A bundle's networks on a backend: the file and the tensors of each, and the runtime that they make together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton.messages.commands import how_to_add
from lite_vton_runtimes.base import Component
from lite_vton_runtimes.fused import whole_network

__all__ = ["BundleRuntime", "network_files"]

OneComponent = TypeVar("OneComponent", bound=Component)


class BundleRuntime(Generic[OneComponent]):
    """Name, networks and end of a `Runtime`. A backend's own class says how it opens a network and calls it.

    `bundle` is kept: of a zip, that object keeps the extracted files alive.
    """

    def __init__(self, name: str, components: Mapping[str, OneComponent], bundle: Bundle | None = None) -> None:
        self._name = name
        self._components = dict(components)
        self._bundle = bundle

    @property
    def name(self) -> str:
        """Backend, or format, and precision: `onnxruntime-fp16`."""
        return self._name

    @property
    def components(self) -> Mapping[str, OneComponent]:
        """The networks by name; empty after `close`."""
        return self._components

    def close(self) -> None:
        """Let go of the networks."""
        self._components = {}


def network_files(
    bundle: Bundle, format: str, precision: str, *, called: str, fused: bool = False
) -> dict[str, tuple[Path, ComponentTensors]]:
    """Each network's file and tensors in the artifact of that format and precision, or in its fused form.

    A `UserError`, which calls the format `called`, where the bundle has no such artifact.
    """
    if fused:
        return whole_network(bundle, format, precision)
    artifacts = bundle.manifest.artifacts
    if f"{format}-{precision}" not in artifacts:
        present = sorted(artifact.precision for artifact in artifacts.values() if artifact.format == format)
        choice = f"it has {', '.join(present)}" if present else how_to_add(bundle, format)
        raise UserError(f"the bundle {bundle.given} has no {called} at precision {precision!r}: {choice}")
    files, tensors = artifacts[f"{format}-{precision}"].components, bundle.manifest.components
    return {name: (bundle.path(file.model), tensors[name]) for name, file in files.items()}
