"""ONNX Runtime's execution providers by the names people say, and whether one that was asked for does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import onnxruntime as ort

from lite_vton.errors import UserError
from lite_vton.messages.choices import suggestion

__all__ = ["CPU", "PROVIDERS", "Provider", "check_work", "known_provider", "session_providers"]


@dataclass(frozen=True)
class Provider:
    """One execution provider.

    `wheel` is the distribution that brings it, installed in place of `onnxruntime` (they all import by that name);
    `options` are what it is started with, and `beside` another provider that takes what it leaves.
    """

    name: str
    ort_name: str
    wheel: str
    options: Mapping[str, str] = field(default_factory=dict)
    beside: str | None = None


CPU = "cpu"
_FLOAT32 = {"use_tf32": "0"}  # TF32 has 10 bits of mantissa: fp32 files would not compute in fp32

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        row.name: row
        for row in (
            Provider(CPU, "CPUExecutionProvider", "onnxruntime"),
            Provider("cuda", "CUDAExecutionProvider", "onnxruntime-gpu", _FLOAT32),
            Provider("tensorrt", "TensorrtExecutionProvider", "onnxruntime-gpu", beside="cuda"),
            # The older NeuralNetwork format lacks many of a U-Net's operators.
            Provider("coreml", "CoreMLExecutionProvider", "onnxruntime, on a Mac", {"ModelFormat": "MLProgram"}),
            Provider("openvino", "OpenVINOExecutionProvider", "onnxruntime-openvino"),
            Provider("xnnpack", "XnnpackExecutionProvider", "a build of onnxruntime with --use_xnnpack"),
            Provider("directml", "DmlExecutionProvider", "onnxruntime-directml, on Windows"),
        )
    }
)
"""By our names; ONNX Runtime's own are understood as well."""

_PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm", "FusedConv", "FusedGemm", "FusedMatMul"})


def known_provider(name: str) -> Provider:
    """The provider of that name, ours or ONNX Runtime's; a `UserError` for none, or one that this build lacks."""
    rows = {row.ort_name: row for row in PROVIDERS.values()} | dict(PROVIDERS)
    available = ort.get_available_providers()
    if name not in rows and name in available:
        return Provider(name, name, "onnxruntime")
    row = rows.get(name) or rows.get(name.lower())
    here = ", ".join(PROVIDERS[n].name for n in PROVIDERS if PROVIDERS[n].ort_name in available)
    if row is None:
        raise UserError(f"unknown provider {name!r}: {suggestion(name, (*PROVIDERS, *available))}")
    if row.ort_name not in available:
        raise UserError(f"no provider {row.name!r} in this ONNX Runtime (it has {here}): install {row.wheel}")
    return row


def session_providers(rows: Sequence[Provider]) -> list[tuple[str, dict[str, str]]]:
    """What an `InferenceSession` takes as `providers`, those beside included where the build has them."""
    available = ort.get_available_providers()
    every = [row for first in rows for row in (first, *([PROVIDERS[first.beside]] if first.beside else []))]
    kept = {row.ort_name: dict(row.options) for row in every if row in rows or row.ort_name in available}
    return list(kept.items())


def check_work(session: ort.InferenceSession, rows: Sequence[Provider], what: str) -> None:
    """A `UserError` if ONNX Runtime dropped a provider of `rows`, or left most convolutions and products to the CPU.

    The latter only where `session` was started with `session.record_ep_graph_assignment_info`. Single operators that
    a provider does not have may run on the CPU; a network that runs there is not what was asked for.
    """
    dropped = [row.name for row in rows if row.ort_name not in session.get_providers()]
    if dropped:
        wheels = ", ".join(dict.fromkeys(row.wheel for row in rows if row.name in dropped))
        raise UserError(
            f"ONNX Runtime could not start {', '.join(dropped)} and would have run {what} on "
            f"{', '.join(session.get_providers())}: install what {wheels} needs, or ask for another provider"
        )
    cpu = PROVIDERS[CPU].ort_name
    if any(row.ort_name == cpu for row in rows) or not hasattr(session, "get_provider_graph_assignment_info"):
        return  # asked for, or an ONNX Runtime before 1.24, which does not tell
    where = [
        part.ep_name
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
        if node.op_type in _PRODUCTS
    ]
    if 2 * where.count(cpu) > len(where):
        raise UserError(
            f"{', '.join(row.name for row in rows)} leaves {where.count(cpu)} of {len(where)} products of {what} to "
            "the CPU: ask for cpu, or another provider"
        )
