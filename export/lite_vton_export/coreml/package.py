"""A Core ML package (`.mlpackage`) on disk, read back as the MIL program it holds; no Mac needed."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError

if TYPE_CHECKING:
    from coremltools.converters.mil.mil import Function, Operation, Var

__all__ = ["FP32_PRODUCTS", "Package", "opened_package", "operands_of", "package_metadata", "quiet", "type_name"]

FP32_PRODUCTS = "lite_vton.fp32_products"
"""User-defined metadata of a package in half precision: how many of its products are in float32 on purpose."""


@dataclass(frozen=True)
class Package:
    """What a package says: its one function in MIL, weights included, and its user-defined metadata."""

    function: Function
    metadata: Mapping[str, str]

    @property
    def float32_products(self) -> int:
        """How many products it says it keeps in float32 on purpose."""
        return int(self.metadata.get(FP32_PRODUCTS, "0"))


def opened_package(path: Path) -> Package:
    """The package in the folder `path`; a `UserError` where it, its program or its weights are not whole."""
    with quiet():
        from coremltools.converters.mil.frontend.milproto.load import load
        from coremltools.models import MLModel
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

        try:
            model = MLModel(str(path), skip_model_load=True)
            spec = model.get_spec()
            program = load(spec, spec.specificationVersion, model.weights_dir)
            function = program.functions["main"]
        # Every way in which coremltools 9.0 says that something is cut short, missing or not what it should be.
        except (
            DecodeError,
            OSError,
            RuntimeError,  # and its subclass for types and opsets that it does not know
            ValueError,
            TypeError,
            KeyError,
            IndexError,
            AttributeError,
            AssertionError,
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path} is no whole Core ML package ({reason}): export it again") from error
    return Package(function, dict(spec.description.metadata.userDefined))


def package_metadata(path: Path) -> dict[str, str]:
    """The package's own short copy of the manifest, by key. Errors as `opened_package`."""
    said = opened_package(path).metadata
    return {key.removeprefix("lite_vton."): value for key, value in said.items() if key.startswith("lite_vton.")}


def operands_of(op: Operation) -> Iterator[Var]:
    """Every variable that an operation takes, lists of them one by one."""
    for given in op.inputs.values():
        if given is not None:
            yield from given if isinstance(given, list | tuple) else (given,)


def type_name(var: Var) -> str:
    """MIL's name for the type of a variable's numbers: "fp16", "int32", "bool"."""
    from coremltools.converters.mil.mil import types

    return str(types.builtin_to_string(var.dtype))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what coremltools says about versions it was tested with and parts only macOS has, and its bars."""
    logger = logging.getLogger("coremltools")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
