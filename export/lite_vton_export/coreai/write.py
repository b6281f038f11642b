"""One component to Core AI assets (`.aimodel`), Apple's successor of Core ML, one a precision.

coreai-torch 0.4 converts what `torch.export` captures; coreai-core 1.0 saves it, and on Linux runs it by an interpreter
(`lite_vton_runtimes.coreai.runtime`). Neither needs a Mac.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lite_vton.bundle import compact_metadata
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec
from lite_vton.presets.config import ModelConfig
from lite_vton_export.precision.half_module import in_half_precision
from lite_vton_export.precision.half_safety import HalfSafety, float32_products, unsafe_modules
from lite_vton_export.precision.shares import MOST, Product, Shares, overall, shares_of
from lite_vton_runtimes.coreai.asset import opened_asset

__all__ = [
    "FP32_PRODUCTS",
    "convert_coreai",
    "coreai_metadata",
    "coreai_shares",
    "export_coreai",
    "found_coreai_precision",
]

_WRITTEN = ("fp32", "fp16")
FP32_PRODUCTS = "lite_vton.fp32_products"
"""Metadata of an fp16 asset, how many of its products are in float32 on purpose."""
_PRODUCTS = frozenset({"coreai.conv2d", "coreai.conv_transpose2d", "coreai.matmul", "coreai.batch_matmul"})
_PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "si8": "int8", "ui8": "int8"}


def export_coreai(
    module: nn.Module,
    spec: ComponentSpec,
    config: ModelConfig,
    folders: Mapping[str, Path],
    *,
    latent_scale: float = 1.0,
    calibration: Sequence[Mapping[str, NDArray[np.generic]]] = (),  # noqa: ARG001  # every exporter is offered it
    safety: HalfSafety | None = None,
) -> dict[str, Path]:
    """Write `model.aimodel` into each folder of `folders`, a folder a precision; returns the assets by precision.

    Takes the tensors of `spec.inputs(config)`, shapes fixed to theirs, the timestep as int32: Core AI has no int64.
    `safety` says which modules fp16 keeps in float32 beside the normalisations.
    Raises `UserError` for an unknown precision or a module that cannot be converted, naming what stands in the way.
    """
    paths = {}
    for precision, folder in folders.items():
        if precision not in _WRITTEN:
            raise UserError(f"Core AI assets are not written in {precision!r}: choose one of {', '.join(_WRITTEN)}")
        folder.mkdir(parents=True, exist_ok=True)
        paths[precision] = folder / "model.aimodel"
        about = compact_metadata(config, component=spec.name, precision=precision, latent_scale=latent_scale)
        about = {f"lite_vton.{key}": value for key, value in about.items()}
        module, kept = module.eval(), None if safety is None else safety.kept
        if precision == "fp16":
            about[FP32_PRODUCTS] = str(float32_products(module, kept))
        in_precision = in_half_precision(module, unsafe_modules(module, kept)) if precision == "fp16" else module
        convert_coreai(in_precision, spec, config, paths[precision], about)
    return paths


def convert_coreai(
    module: nn.Module, spec: ComponentSpec, config: ModelConfig, path: Path, about: dict[str, str]
) -> None:
    """The asset of a module as it is, with `about` as its metadata; errors as `export_coreai`."""
    with _quiet():
        from coreai.runtime import AIModelAssetMetadata
        from coreai_torch import TorchConverter, get_decomp_table

    inputs, outputs = spec.inputs(config), spec.outputs(config)
    example = tuple(torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype)) for tensor in inputs)
    metadata = AIModelAssetMetadata()
    metadata.license = about["lite_vton.license"]
    for key, value in about.items():
        metadata.set_custom(key, value)
    with _quiet(), torch.no_grad():
        program = torch.export.export(module, example).run_decompositions(get_decomp_table())
        converter = TorchConverter().add_exported_program(
            program, input_names=[tensor.name for tensor in inputs], output_names=[tensor.name for tensor in outputs]
        )
        try:
            converted = converter.to_coreai()
            converted.optimize()
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{spec.name} cannot be converted to Core AI ({reason}): leave coreai out") from error
        converted.save_asset(path, metadata)


def coreai_metadata(path: Path) -> dict[str, str]:
    """The asset's own short copy of the manifest, by key. Errors as `opened_asset`."""
    said = opened_asset(path).metadata.creator_defined_metadata
    return {key.removeprefix("lite_vton."): str(said[key]) for key in said if key.startswith("lite_vton.")}


def found_coreai_precision(path: Path) -> str:
    """The precision an asset computes its convolutions and matrix products in, read from its program.

    More than one gives "mixed fp16/fp32" and so on, none "none". As many float32 products as an fp16 asset says it
    keeps do not count, if they are less than half of the work. Raises `UserError` for what is no whole asset.
    """
    products = _products(path)
    shares = shares_of(products).multiplications
    wide = sum(product.computed == "fp32" for product in products)
    if set(shares) == {"fp16", "fp32"} and shares["fp16"] > MOST and wide <= _float32_kept(path):
        return "fp16"
    return overall(shares)


def coreai_shares(path: Path) -> Shares:
    """Which share of an asset's weights and multiplications is in which precision.

    Products of two activations count too, by their multiplications alone: the program does not tell them from others.
    Raises `UserError` for what is no whole asset.
    """
    return shares_of(_products(path))


def _float32_kept(path: Path) -> int:
    said = opened_asset(path).metadata.creator_defined_metadata
    return int(said.get(FP32_PRODUCTS, 0))


def _products(path: Path) -> list[Product]:
    from coreai._compiler.ir import WalkResult

    found: list[Product] = []

    def count(operation: Any) -> Any:
        if operation.name in _PRODUCTS:
            left, right = (operation.operands[index].type for index in (0, 1))
            kind = _PRECISIONS.get(str(right.element_type), "unknown")
            size = math.prod(right.shape)
            answer = tuple(operation.results[0].type.shape)
            if operation.name.endswith("matmul"):
                positions = math.prod(answer) // answer[-1]
            else:  # a transposed convolution multiplies once for each place of what it spreads
                positions = math.prod((tuple(left.shape) if "transpose" in operation.name else answer)[2:])
            found.append(Product(f"{len(found)}", kind, kind, size, size * positions))
        return WalkResult.ADVANCE

    opened_asset(path).program._mlir_module.operation.walk(count)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the converter says about versions it was validated with, and its bar."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
