"""What is really inside a TensorRT engine: its inputs and outputs, and the number format of each product's weights.

TensorRT's own way to read an engine back, `EngineInspector`, wants it deserialised, and that wants a GPU: without one
`IRuntime.deserialize_cuda_engine` ends in CUDA error 35, with `defer_weights_loading` too. But a TensorRT-RTX engine
(1.7) carries the plan of its compiler as plain text, one block a graph: every tensor with its type and sides, every
kernel with what it takes and gives. That is read here, on any machine, with no TensorRT installed. The first block is
the network; those after it are what single fused kernels are made of, and repeat tensors of the first.
"""

from __future__ import annotations

import mmap
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton_export.precision.shares import Product as Counted
from lite_vton_export.precision.shares import Shares, shares_of
from lite_vton_runtimes.tensorrt.engine import EngineTensor

__all__ = ["EnginePlan", "Product", "read_plan"]


_BLOCK = b"header {\n  version ="
_DTYPES = {
    "float": "float32",
    "half": "float16",
    "bf16": "bfloat16",
    "int8": "int8",
    "int64": "int64",
    "int32": "int32",
}
_PRECISIONS = {"float": "fp32", "half": "fp16", "bf16": "bf16", "int8": "int8"}
_BYTES = {"fp16": 2, "bf16": 2, "int8": 1}
"""Of a number, where it is not four."""
_PRODUCTS = ("corrltn", "deconvolution", "fully_connected", "runtime_fusion")
"""Kinds of kernel that multiply by weights: convolution, its transpose, matrix product, and one fused with its end."""
_DOT = "MulSum"  # how the compiler names a matrix product of one row that it has made an ordinary kernel of

_TENSOR = re.compile(r"^  (?:sub_)?tensor=\{ (?P<body>.*) type=(?P<type>\w+) \}$", re.MULTILINE)
_KERNEL = re.compile(r"^  (?P<kind>\w+)=\{ name=\"?(?P<name>[^\" ]+)", re.MULTILINE)
_QUOTED = re.compile(r'"([^"\n]+)"')


@dataclass(frozen=True)
class Product:
    """One kernel that multiplies by weights; `precision` is theirs: fp32, tf32, fp16, bf16, int8 or TensorRT's word.

    `multiplications` are numbers of its weights times positions of its output, batched or spatial.
    """

    name: str
    precision: str
    weight_bytes: int
    multiplications: int

    @property
    def numbers(self) -> float:
        """How many weights it has."""
        return self.weight_bytes / _BYTES.get(self.precision, 4)


@dataclass(frozen=True)
class EnginePlan:
    """What an engine takes, gives, and computes its products in."""

    inputs: tuple[EngineTensor, ...]
    outputs: tuple[EngineTensor, ...]
    products: tuple[Product, ...]

    @property
    def precision(self) -> str:
        """The one of all products; "mixed fp16/fp32" and so on for several, "none" without any."""
        found = sorted({product.precision for product in self.products})
        if not found:
            return "none"
        return found[0] if len(found) == 1 else f"mixed {'/'.join(found)}"

    @property
    def weight_bytes(self) -> Mapping[str, int]:
        """Bytes of the products' weights by precision."""
        total: Counter[str] = Counter()
        for product in self.products:
            total[product.precision] += product.weight_bytes
        return total

    @property
    def shares(self) -> Shares:
        """Which share of the products' weights and multiplications is in which precision."""
        return shares_of(
            Counted(product.name, product.precision, product.precision, product.numbers, product.multiplications)
            for product in self.products
        )


def read_plan(engine: Path) -> EnginePlan:
    """The plan of a TensorRT-RTX engine; a `UserError` for a file that holds none in the form known here."""
    text = _plan_text(engine)
    try:
        return _parsed(text)
    except (KeyError, ValueError, AttributeError) as error:
        raise UserError(_unknown(engine)) from error


def _parsed(text: str) -> EnginePlan:
    types: dict[str, str] = {}
    sides: dict[str, tuple[int, ...]] = {}
    constant_bytes: dict[str, int] = {}
    for match in _TENSOR.finditer(text):
        name = _field(match["body"], r'name="([^"]*)"')
        types[name] = match["type"]
        sides[name] = tuple(int(side) for side in _field(match["body"], r"dims=\{([^}]*)\}").split())
        if size := re.search(r"const_payload_size=(\d+)", match["body"]):
            constant_bytes[name] = int(size[1])

    precisions = _PRECISIONS | ({"float": "tf32"} if _field(text, r"^  tf32=(\d)") == "1" else {})
    starts = list(_KERNEL.finditer(text))
    products = []
    for match, end in zip(starts, (*(other.start() for other in starts[1:]), len(text)), strict=True):
        if match["kind"] not in _PRODUCTS and not (match["kind"] == "function" and _DOT in match["name"]):
            continue
        taken, given = (
            _QUOTED.findall(_field(text[match.start() : end], rf" {side}(?:_args)?=\{{([^}}]*)\}}"))
            for side in ("input", "output")
        )
        # A vector is a bias or a scale.
        weights = [name for name in taken if name in constant_bytes and sum(side > 1 for side in sides[name]) > 1]
        products += [
            Product(
                match["name"],
                precisions.get(types[name], types[name]),
                constant_bytes[name],
                # A transposed convolution uses each weight once for each pixel that it takes.
                prod(sides[name])
                * _positions(sides[name], sides[(taken if match["kind"] == "deconvolution" else given)[0]]),
            )
            for name in weights
        ]

    def tensors(side: str) -> tuple[EngineTensor, ...]:
        names = _QUOTED.findall(_field(text, rf"^  {side}=\{{([^}}]*)\}}"))
        return tuple(
            # The compiler numbers the versions of a tensor: `sample.1`.
            EngineTensor(name=name.rpartition(".")[0], shape=sides[name], dtype=_DTYPES.get(types[name], types[name]))
            for name in names
        )

    return EnginePlan(tensors("inputs"), tensors("outputs"), tuple(products))


def _positions(weight: tuple[int, ...], output: tuple[int, ...]) -> int:
    """How often each weight is used: at every pixel of a convolution's output, for every row of a matrix product's."""
    if len(weight) == 4:
        return prod(output[2:])
    shared = prod(weight[:-2])  # several matrices merged into one product, each with rows of its own
    return max(prod(output[:-1]) // shared, 1)


def _plan_text(engine: Path) -> str:
    with engine.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_BLOCK)
        end = content.find(b"\0", start)
        if start < 0 or end < 0:
            raise UserError(_unknown(engine))
        return content[start:end].decode("utf-8", errors="replace")


def _unknown(engine: Path) -> str:
    return f"{engine} holds no plan that can be read without a GPU: verify it where there is one"


def _field(text: str, pattern: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise ValueError(f"no {pattern}")
    return match[1]
