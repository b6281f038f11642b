"""The machine's ceiling: two large square matrices multiplied, as fast as anything here multiplies them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

__all__ = ["MULTIPLICATIONS", "flops"]


def flops(size: int) -> int:
    """Of one product of two (size, size) matrices."""
    return 2 * size**3


def _torch(size: int, precision: str) -> Callable[[], object]:
    import torch

    if precision == "int8":
        left, right = (torch.randint(-127, 127, (size, size), dtype=torch.int8) for _ in range(2))
        return lambda: torch._int_mm(left, right)
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    left, right = (torch.randn(size, size).to(kind) for _ in range(2))
    return lambda: left @ right


def _openvino(size: int, precision: str) -> Callable[[], object]:
    import openvino as ov
    from openvino import opset13 as ops

    random = np.random.default_rng(0)
    given = ops.parameter([size, size], np.float32)
    if precision == "int8":
        # Quantised inside the graph, the way nncf writes it: given int8 tensors, OpenVINO (2026.4) multiplies in float.
        weights = ops.constant(random.integers(-127, 127, (size, size), dtype=np.int8))
        right = ops.multiply(ops.convert(weights, "f32"), ops.constant(np.full((size, 1), 0.01, np.float32)))
        low, high = np.float32(0), np.float32(1)
        left = ops.fake_quantize(given, low, high, low, high, 256)
    else:
        left, right = given, ops.constant(random.standard_normal((size, size), dtype=np.float32))
    model = ov.Model([ops.matmul(left, right, False, True)], [given])
    hint = {"fp32": "f32", "bf16": "bf16", "int8": "bf16"}[precision]
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(ov.Tensor(random.random((size, size), dtype=np.float32)))
    return request.infer


MULTIPLICATIONS: Mapping[str, Callable[[int, str], Callable[[], object]]] = {"torch": _torch, "openvino": _openvino}
"""By library: (size, precision) to one product as a function without arguments."""
