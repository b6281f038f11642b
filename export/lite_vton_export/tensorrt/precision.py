"""The precision an engine really has, by its inspector and its weights."""

from __future__ import annotations

from pathlib import Path

from lite_vton.errors import UserError
from lite_vton_export.precision.shares import MOST, Shares
from lite_vton_export.tensorrt.inspector import inspect_engine
from lite_vton_export.tensorrt.plan import EnginePlan, read_plan
from lite_vton_runtimes.tensorrt.engine import EngineRecord, EngineTensor, check_engine, read_record

__all__ = ["engine_shares", "found_precision"]


def found_precision(engine: Path) -> str:
    """The precision an engine computes in, read from it: "fp32", "tf32", "fp16", "mixed ..." or "none".

    "tf32" is float32 whose products may be rounded to 10 bits of mantissa. As many float32 products as the record of
    an fp16 engine says it keeps do not count, if they are less than half of the work. Raises `UserError` for an engine
    that is not whole, not the one of its record, or takes and gives other tensors than the record says.
    """
    plan = _checked_plan(engine)
    shares, wide = plan.shares.multiplications, sum(product.precision == "fp32" for product in plan.products)
    if set(shares) == {"fp16", "fp32"} and shares["fp16"] > MOST and wide <= read_record(engine).float32_products:
        return "fp16"
    return plan.precision


def engine_shares(engine: Path) -> Shares:
    """Which share of an engine's weights and multiplications is in which precision; errors as `found_precision`."""
    return _checked_plan(engine).shares


def _checked_plan(engine: Path) -> EnginePlan:
    record = read_record(engine)
    check_engine(engine, record)
    plan = read_plan(engine) if record.flavour == "tensorrt-rtx" else _inspected(engine, record)
    for side, found, recorded in (("inputs", plan.inputs, record.inputs), ("outputs", plan.outputs, record.outputs)):
        if sorted(found, key=str) != sorted(recorded, key=str):
            raise UserError(f"{engine} has {side} {_words(found)}, its record says {_words(recorded)}: export it again")
    return plan


def _words(tensors: tuple[EngineTensor, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {tensor.shape}" for tensor in tensors)


def _inspected(engine: Path, record: EngineRecord) -> EnginePlan:
    return inspect_engine(engine, tf32=record.tf32)
