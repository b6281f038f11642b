"""The Core ML packages of a bundle, computed on the CPU, so that they can be held against the golden trajectory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton_export.coreml.evaluator.evaluator import Evaluator
from lite_vton_runtimes.base import Array, Component
from lite_vton_runtimes.fused import whole_network
from lite_vton_runtimes.tensors import ordered

__all__ = ["CoreMLEvaluator"]


class CoreMLEvaluator:
    """The `coreml-<precision>` packages of a bundle, or its fused one; a `UserError` for one that is damaged."""

    def __init__(self, bundle: Bundle, precision: str, *, fused: bool = False) -> None:
        self._name = f"coreml-{precision}"
        if fused:
            networks = whole_network(bundle, "coreml", precision)
        else:
            artifact, tensors = bundle.manifest.artifacts[self._name], bundle.manifest.components
            networks = {name: (bundle.path(files.model), tensors[name]) for name, files in artifact.components.items()}
        self._components: dict[str, Component] = {
            name: _component(name, Evaluator.of_package(path), tensors_of)
            for name, (path, tensors_of) in networks.items()
        }

    @property
    def name(self) -> str:
        """Format and precision."""
        return self._name

    @property
    def components(self) -> Mapping[str, Component]:
        """As `lite_vton_runtimes.base.Runtime`."""
        return self._components

    def close(self) -> None:
        """Let go of the weights."""
        self._components = {}


def _component(name: str, evaluator: Evaluator, tensors: ComponentTensors) -> Component:
    for declared, found in ((tensors.inputs, evaluator.inputs), (tensors.outputs, evaluator.outputs)):
        expected = {spec.name: spec.shape for spec in declared}
        if expected != {key: shape for key, (_, shape) in found.items()}:
            raise UserError(f"the program of {name} has other tensors than {', '.join(expected)}: export it again")

    def run(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
        arrays = ordered(name, tensors.inputs, inputs)
        given = {spec.name: array for spec, array in zip(tensors.inputs, arrays, strict=True)}
        return {key: np.asarray(array, np.float32) for key, array in evaluator(given).items()}

    return run
