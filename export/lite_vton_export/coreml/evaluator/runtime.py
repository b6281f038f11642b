"""The Core ML packages of a bundle, computed on the CPU, so that they can be held against the golden trajectory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton_export.coreml.evaluator.evaluator import Evaluator
from lite_vton_runtimes.base import Array, Component
from lite_vton_runtimes.networks import BundleRuntime, network_files
from lite_vton_runtimes.tensors import ordered

__all__ = ["CoreMLEvaluator"]


class CoreMLEvaluator(BundleRuntime[Component]):
    """The `coreml-<precision>` packages of a bundle, or its fused one; a `UserError` for one that is damaged."""

    def __init__(self, bundle: Bundle, precision: str, *, fused: bool = False) -> None:
        networks = network_files(bundle, "coreml", precision, called="Core ML", fused=fused)
        components = {
            name: _component(name, Evaluator.of_package(path), tensors) for name, (path, tensors) in networks.items()
        }
        super().__init__(f"coreml-{precision}", components, bundle)


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
