"""Which operations stay in single, and what precision a package is found to have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lite_vton_export.precision.rules import FP32_OPS

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

import coremltools as ct
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813  # what everybody calls it
from coremltools.converters.mil.mil import Function, Program, types

from lite_vton_export.coreml.package import quiet, type_name
from lite_vton_export.coreml.precision import (
    FP32_KINDS,
    coreml_shares,
    float16_selector,
    found_coreml_precision,
    stays_float32,
)

WEIGHT = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)


def function_of(build: Any, **inputs: Any) -> Function:
    places = {
        name: mb.placeholder(shape=(8, 8) if kind is types.fp32 else (1,), dtype=kind) for name, kind in inputs.items()
    }
    with Function(places, opset_version=ct.target.iOS17) as function:
        function.set_outputs([build(**function.inputs)])
    return function


def saved(folder: Path, function: Function, selector: Any = None) -> Path:
    program = Program()
    program.add_function("main", function)
    with quiet():
        model = ct.convert(
            program,
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.transform.FP16ComputePrecision(op_selector=selector or (lambda _: False)),
            skip_model_load=True,
        )
        model.save(str(folder / "model.mlpackage"))
    return folder / "model.mlpackage"


def test_every_kind_kept_has_its_reason_from_the_one_table() -> None:
    assert set(FP32_KINDS.values()) <= set(FP32_OPS.values())
    assert {"softmax", "layer_norm", "reduce_mean", "sqrt", "sin"} <= set(FP32_KINDS)
    assert not {"conv", "linear", "matmul", "silu", "add"} & set(FP32_KINDS)


def test_arithmetic_on_a_statistic_stays_and_a_name_can_be_kept() -> None:
    def build(x: Any) -> Any:
        mean = mb.reduce_mean(x=x, axes=[1], keep_dims=True)
        centred = mb.sub(x=x, y=mean, name="centred")
        return mb.add(x=mb.mul(x=centred, y=2.0, name="doubled"), y=x, name="summed")

    kept = {op.name: op for op in function_of(build, x=types.fp32).operations}
    assert stays_float32(kept["centred"])
    assert not stays_float32(kept["doubled"])
    assert not stays_float32(kept["summed"])
    assert stays_float32(kept["summed"], lambda name: name == "summed")


@pytest.mark.slow
def test_the_angle_of_the_timestep_is_never_rounded_and_the_rest_is(tmp_path: Path) -> None:
    from lite_vton_export.coreml.package import opened_package

    def build(x: Any, timestep: Any) -> Any:
        angle = mb.mul(x=mb.cast(x=timestep, dtype="fp32"), y=np.linspace(0.1, 1, 8, dtype=np.float32))
        embedded = mb.linear(x=mb.expand_dims(x=angle, axes=[0]), weight=WEIGHT)
        return mb.add(x=mb.relu(x=embedded), y=x)

    path = saved(tmp_path, function_of(build, x=types.fp32, timestep=types.int32), float16_selector())
    found = {op.op_type: type_name(op.outputs[0]) for op in opened_package(path).function.operations}
    assert (found["mul"], found["linear"], found["relu"], found["add"]) == ("fp32", "fp16", "fp16", "fp16")
    assert found_coreml_precision(path) == "fp16"


@pytest.mark.slow
def test_one_product_kept_in_single_is_called_mixed(tmp_path: Path) -> None:
    def build(x: Any) -> Any:
        return mb.linear(x=mb.linear(x=x, weight=WEIGHT, name="first"), weight=WEIGHT[:4], name="second")

    path = saved(tmp_path, function_of(build, x=types.fp32), float16_selector(lambda name: name == "first"))
    assert coreml_shares(path).multiplications == {"fp32": pytest.approx(2 / 3), "fp16": pytest.approx(1 / 3)}
    assert found_coreml_precision(path) == "mixed fp16/fp32"


@pytest.mark.slow
def test_products_of_activations_count_for_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path, function_of(lambda x: mb.matmul(x=x, y=x), x=types.fp32))
    assert coreml_shares(path).multiplications == {}
    assert found_coreml_precision(path) == "none"
