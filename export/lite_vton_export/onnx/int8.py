"""8-bit ONNX: `int8`, where weights and activations are quantised, and `w8`, where only the weights are.

Both are plain ONNX in the QDQ form (QuantizeLinear, DequantizeLinear), which every runtime reads and many fuse into
integer arithmetic. int8 is onnxruntime's static quantiser: weights per output channel, everything symmetric, as
TensorRT and most NPUs want it, unless the gate is missed so; sums, normalisations and what
`lite_vton_export.precision.float_layers` names stay float. w8 halves the memory of fp16 and keeps float arithmetic:
nothing has to be calibrated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from lite_vton.atomic import scratch_folder
from lite_vton.errors import UserError
from lite_vton_export.onnx.file import save_onnx, weights_beside
from lite_vton_export.precision.closest import Answering, closest, judged
from lite_vton_export.precision.int8_ladder import rungs
from lite_vton_export.precision.rules import PRODUCTS

__all__ = ["to_int8", "to_w8"]

_QUANTISED = ["Conv", "MatMul", "Gemm"]  # transposed convolutions hardly any runtime has in integers


def to_int8(model: onnx.ModelProto, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> onnx.ModelProto:
    """A float32 model with static shapes, quantised to the ranges that its activations have on `feeds`.

    Where int8's gate is missed otherwise, activations get zero points (SiLU goes from -0.3 to 5: symmetric steps are
    twice as wide), and then as much more stays float as the gate takes (`lite_vton_export.precision.int8_ladder`).
    Raises `UserError` for an empty set.
    """
    if not feeds:
        raise UserError("int8 needs a calibration set, and it is empty: give one, or export w8, which needs none")
    with scratch_folder() as temporary:
        source = temporary / "model.onnx"
        save_onnx(model, source)
        judge = judged(_session(source), feeds)
        ranges = _ranges(source, feeds)
        # Lazily: the next is only made where the one before falls short.
        candidates = (
            _quantise(source, source.with_name(f"int8-{number}.onnx"), ranges, excluded, symmetric=symmetric)
            for number, (symmetric, excluded) in enumerate(_ways(rungs(source, feeds)))
        )
        return onnx.load(closest(candidates, _session, judge))


def _ways(kept: Iterator[frozenset[str]]) -> Iterator[tuple[bool, frozenset[str]]]:
    """Whether activations are symmetric, and what stays float: zero points cost less than float products."""
    always, linear = next(kept), next(kept)
    yield from ((True, always), (True, linear), (False, always))
    for more in kept:
        yield False, more


def _ranges(source: Path, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> Any:
    """The smallest and largest value of every activation, as onnxruntime's quantiser wants them."""
    from onnxruntime.quantization.calibrate import create_calibrator

    calibrator = create_calibrator(
        source,
        _QUANTISED,
        augmented_model_path=str(source.with_name("augmented.onnx")),
        use_external_data_format=weights_beside(source).exists(),
    )
    # Its own session (1.32) has an arena, which never gives back its largest moment; nothing is optimised either way.
    options = _options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    calibrator.infer_session = ort.InferenceSession(
        calibrator.augmented_model_path, options, providers=["CPUExecutionProvider"]
    )
    calibrator.collect_data(_Reader(feeds))
    return calibrator.compute_data()


def _quantise(source: Path, target: Path, ranges: Any, excluded: frozenset[str], *, symmetric: bool) -> Path:
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    quantizer = QDQQuantizer(
        load_model_with_shape_infer(source),
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        tensors_range=ranges,
        nodes_to_quantize=[],
        nodes_to_exclude=sorted(excluded),
        op_types_to_quantize=_QUANTISED,
        extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
    )
    quantizer.quantize_model()
    quantizer.model.save_model_to_file(str(target), weights_beside(source).exists())
    return target


class _Reader:
    """The calibration set as onnxruntime's quantiser asks for it: one call at a time, then None."""

    def __init__(self, feeds: Sequence[Mapping[str, NDArray[Any]]]) -> None:
        self._rest = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        feed = next(self._rest, None)
        return None if feed is None else dict(feed)


def to_w8(model: onnx.ModelProto) -> onnx.ModelProto:
    """A float32 model whose products take int8 weights, one scale per output channel; `model` is changed in place."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    used: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type in PRODUCTS and len(node.input) > 1 and len(weights.get(node.input[1], _NONE).dims) > 1:
            used.setdefault(node.input[1], _output_axis(node, len(weights[node.input[1]].dims)))
    shared = {name for node in model.graph.node if node.op_type not in PRODUCTS for name in node.input}
    before: list[onnx.NodeProto] = []
    for name, axis in used.items():
        if name in shared:
            continue  # something else reads it as float32
        values = numpy_helper.to_array(weights[name])
        others = tuple(number for number in range(values.ndim) if number != axis)
        scale = np.maximum(np.abs(values).max(axis=others), np.finfo(np.float32).tiny) / np.float32(127)
        steps = np.rint(values / np.expand_dims(scale, others)).astype(np.int8)
        weights[name].CopyFrom(numpy_helper.from_array(steps, f"{name}_int8"))
        model.graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"))
        before.append(
            helper.make_node(
                "DequantizeLinear", [f"{name}_int8", f"{name}_scale"], [name], name=f"{name}_dequantised", axis=axis
            )
        )
    nodes = [*before, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


_NONE = onnx.TensorProto()


def _output_axis(node: onnx.NodeProto, rank: int) -> int:
    """Which axis of a product's weights counts its output channels."""
    transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    by_kind: dict[str, int] = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if transposed else 1, "MatMul": rank - 1}
    return by_kind[node.op_type]


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it never gives back its largest moment
    return options


def _session(path: Path) -> Answering:
    session = ort.InferenceSession(str(path), _options(), providers=["CPUExecutionProvider"])

    def answer(feed: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[np.float32]]:
        outputs: Sequence[NDArray[np.float32]] = session.run(None, dict(feed))
        return outputs

    return answer
