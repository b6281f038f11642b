from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lite_vton_export.precision.closest import closest, judged
from lite_vton_export.precision.float_layers import costs, float_layers
from lite_vton_export.precision.int8_ladder import SHARES, layer_noise, rungs

CHANNELS = (4, 4, 32, 32, 32, 64, 3)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six convolutions in a row, the first a pointwise mixing of 4 channels; layer 3 is given a spike beside noise."""
    random = np.random.default_rng(0)
    nodes, weights = [], []
    for number, (before, after) in enumerate(pairwise(CHANNELS)):
        side = 1 if number == 0 else 3
        values = random.standard_normal((after, before, side, side)) / np.sqrt(before * side * side)
        if number == 2:
            values[0] *= 300
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"w{number}"))
        given, gives = "x" if number == 0 else f"h{number}", "y" if number == len(CHANNELS) - 2 else f"h{number + 1}"
        pads = [side // 2] * 4
        nodes.append(helper.make_node("Conv", [given, f"w{number}"], [gives], name=f"conv{number}", pads=pads))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 8, 8))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, 8, 8))],
        weights,
    )
    path = tmp_path_factory.mktemp("ladder") / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def feeds(*loudness: float) -> list[dict[str, NDArray[np.float32]]]:
    random = np.random.default_rng(1)
    return [{"x": (level * random.standard_normal((1, 4, 8, 8))).astype(np.float32)} for level in loudness]


def test_a_pointwise_mixing_of_few_channels_is_no_end_of_its_own(chain: Path) -> None:
    assert float_layers(onnx.load(chain)) == {"conv0", "conv1", "conv5"}


def test_a_layer_costs_the_larger_of_its_shares(chain: Path) -> None:
    found = costs(onnx.load(chain))
    weights = {f"conv{n}": 64 * 32 * 9 if n == 4 else 32 * 32 * 9 for n in (2, 3, 4)}
    assert found["conv4"] == pytest.approx(2 * found["conv3"])
    assert found["conv2"] / found["conv4"] == pytest.approx(weights["conv2"] / weights["conv4"])
    assert found["conv0"] < 0.001


def test_noise_is_a_step_of_the_whole_range_against_the_quietest_call(chain: Path) -> None:
    alike, apart = (layer_noise(chain, feeds(*levels), ["conv2", "conv3"]) for levels in ((1, 1), (1, 30)))
    assert apart["conv2"] == pytest.approx(900 * alike["conv2"], rel=0.5)
    quiet, loud = (feed["x"] for feed in feeds(1, 30))
    step = (loud.max() - loud.min()) / 255
    (found,) = layer_noise(chain, feeds(1, 30), ["conv0"]).values()
    assert found == pytest.approx(step**2 / 12 / quiet.var(), rel=1e-3)


def test_rungs_grow_keep_to_their_share_and_begin_with_the_noisiest(chain: Path) -> None:
    always, _linear, *more = rungs(chain, feeds(1, 1))
    found = costs(onnx.load(chain))
    assert always == {"conv0", "conv1", "conv5"}
    assert [sum(found[name] for name in kept - always) <= share for kept, share in zip(more, SHARES, strict=True)] == [
        True
    ] * len(SHARES)
    assert more[-1] > always
    assert "conv3" in more[1]  # a quarter of the work, and given the spike


def test_nothing_is_measured_unless_the_first_rungs_fall_short(chain: Path) -> None:
    steps = rungs(chain, [{"another": np.zeros(3, np.float32)}])  # no call of this network
    assert next(steps) <= next(steps)
    with pytest.raises(Exception, match="another model's"):
        next(steps)


def test_the_first_candidate_whose_cosine_has_room_too_is_kept() -> None:
    exact = np.random.default_rng(0).standard_normal((1, 4, 32, 32)).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(exact.shape).astype(np.float32)
    judge = judged(lambda _feed: [exact], [{}])

    def off(deviation: float) -> object:
        return lambda _feed: [exact + np.float32(deviation) * noise]

    tried: list[float] = []

    def candidates() -> object:
        for deviation in (0.2, 0.13, 0.05, 0.01):
            tried.append(deviation)
            yield deviation

    assert closest(candidates(), off, judge) == 0.05  # type: ignore[arg-type]
    assert tried == [0.2, 0.13, 0.05]
    assert judge(off(0.13)) == pytest.approx(0.7, abs=0.4)  # type: ignore[arg-type]
