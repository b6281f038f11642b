"""What float16 cannot hold is found by running, in the network that has it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton_export.parity.golden import load_trajectory
from lite_vton_export.precision.ranges import measure_ranges, unsafe_nodes


def saved(path: Path, *gains: float, external: bool = False) -> Path:
    """x times each of `gains`, one node after another."""
    names = ["x", *(f"v{i}" for i in range(len(gains)))]
    nodes = [
        helper.make_node("Mul", [given, f"g{i}"], [name], name=f"times{i}")
        for i, (given, name) in enumerate(pairwise(names))
    ]
    shape = (1, 1000)
    ends = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (names[0], names[-1]))
    weights = [numpy_helper.from_array(np.full(shape, gain, np.float32), f"g{i}") for i, gain in enumerate(gains)]
    graph = helper.make_graph(nodes, "g", [next(ends)], [next(ends)], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path, save_as_external_data=external, location="weights.data", size_threshold=0)
    return path


CALLS = [{"x": np.random.default_rng(seed).uniform(-1, 1, (1, 1000)).astype(np.float32)} for seed in (0, 1)]


@pytest.mark.parametrize("external", [False, True])
def test_a_value_beyond_float16_is_found_with_all_that_touches_it(tmp_path: Path, external: bool) -> None:
    ranges = measure_ranges(saved(tmp_path / "model.onnx", 2.0, 1e5, 1e-5, 3.0, external=external), CALLS)
    assert [row.node for row in ranges] == ["times0", "times1", "times2", "times3"]
    assert ranges[0].largest_in == pytest.approx(1, abs=0.01)
    assert ranges[1].largest_out == pytest.approx(2e5, rel=0.01)
    assert ranges[1].rounding_db == -200
    assert unsafe_nodes(ranges).keys() == {"times1", "times2"}
    assert "float16 ends at 65504" in unsafe_nodes(ranges)["times2"]


def test_headroom_is_kept_for_other_people_than_the_measured(tmp_path: Path) -> None:
    assert unsafe_nodes(measure_ranges(saved(tmp_path / "a.onnx", 10_000.0), CALLS)) == {}
    assert unsafe_nodes(measure_ranges(saved(tmp_path / "b.onnx", 20_000.0), CALLS)).keys() == {"times0"}


def test_values_too_small_for_float16_lose_digits(tmp_path: Path) -> None:
    fine, small = measure_ranges(saved(tmp_path / "model.onnx", 1.0, 1e-6), CALLS)
    assert fine.rounding_db == pytest.approx(74, abs=2)
    assert 10 < small.rounding_db < 40
    assert small.unsafe is not None
    assert "dB of it" in small.unsafe


def test_the_largest_is_that_of_all_calls(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx", 1.0)
    both = measure_ranges(path, [CALLS[0], {"x": 7 * CALLS[1]["x"]}])
    assert both[0].largest_out == pytest.approx(7, abs=0.1)


def test_a_real_network_is_measured_along_its_trajectory_and_is_safe(exported: Bundle) -> None:
    golden = load_trajectory(exported.path("golden/trajectory.npz"))
    calls = [call.inputs for call in golden.calls if call.component == "unet"]
    ranges = measure_ranges(exported.path("onnx-fp32/unet/model.onnx"), calls)
    nodes = onnx.load(exported.path("onnx-fp32/unet/model.onnx")).graph.node
    assert {"Conv", "Softmax"} <= {row.kind for row in ranges}
    assert len(ranges) > 0.8 * len(nodes)
    assert all(row.largest_out > 0 for row in ranges if row.kind == "Conv")


def test_nothing_to_run_on_and_anothers_inputs_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx", 1.0)
    with pytest.raises(UserError, match="no calls"):
        measure_ranges(path, [])
    with pytest.raises(UserError, match="another model's"):
        measure_ranges(path, [{"y": CALLS[0]["x"]}])


def test_what_is_not_finite_is_unsafe(tmp_path: Path) -> None:
    for gain in (np.inf, np.nan):
        (row,) = measure_ranges(saved(tmp_path / "model.onnx", gain), CALLS)
        assert (row.largest_out, row.rounding_db) == (np.finfo(np.float32).max, -200)
        assert row.unsafe
