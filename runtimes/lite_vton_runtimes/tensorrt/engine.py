"""What stands beside a TensorRT engine: which TensorRT, ONNX, shapes and flags it was built from, and for which GPUs.

`model.json` is the record of `model.engine`. All of it but the engine's own size and hash is what was asked for, and
so the key under which engines are cached.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lite_vton.bundle import TensorSpec
from lite_vton.errors import UserError

__all__ = [
    "ENGINE_NAME",
    "RECORD_NAME",
    "EngineRecord",
    "EngineRequest",
    "EngineTensor",
    "check_engine",
    "engine_tensors",
    "read_record",
    "record_metadata",
    "write_engine",
]

ENGINE_NAME = "model.engine"
RECORD_NAME = "model.json"

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Capability = Annotated[str, Field(pattern=r"^[0-9]{1,2}\.[0-9]$")]


class EngineTensor(BaseModel):
    """Name, shape and numpy dtype of one input or output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shape: tuple[int, ...]
    dtype: str


class EngineRequest(BaseModel):
    """Everything that decides what is in an engine.

    `compute_capabilities` are those it is built for, such as "8.9"; none means Ampere (8.0) and newer, as far as
    TensorRT-RTX knows them: not data-centre Hopper or Blackwell.
    `built_on` is the system, the processor and the GPU of the machine that builds it. `tf32` says whether float32
    products may be rounded to 10 bits of mantissa, `float32_products` how many an fp16 ONNX file keeps in float32.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flavour: Literal["tensorrt-rtx", "tensorrt"]
    version: str
    built_on: str
    compute_capabilities: tuple[_Capability, ...]
    model: str
    component: str
    precision: str
    onnx_sha256: _Sha256
    inputs: tuple[EngineTensor, ...]
    outputs: tuple[EngineTensor, ...]
    strongly_typed: bool = True
    tf32: bool = False
    float32_products: int = Field(default=0, ge=0)
    profiling_verbosity: str = "DETAILED"

    @property
    def key(self) -> str:
        """Hex sha256 of the request, the same in every process and on every machine."""
        text = json.dumps(self.model_dump(mode="json", include=set(EngineRequest.model_fields)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, other: EngineRequest) -> tuple[str, ...]:
        """Names of the fields in which two requests differ."""
        return tuple(name for name in EngineRequest.model_fields if getattr(self, name) != getattr(other, name))


class EngineRecord(EngineRequest):
    """What was asked for, and the size and hash of what came of it."""

    engine_bytes: int = Field(gt=0)
    engine_sha256: _Sha256


def engine_tensors(specs: tuple[TensorSpec, ...]) -> tuple[EngineTensor, ...]:
    """Names, shapes and dtypes alone, as a request has them."""
    return tuple(EngineTensor(name=spec.name, shape=spec.shape, dtype=spec.dtype) for spec in specs)


def write_engine(request: EngineRequest, engine: bytes | memoryview, folder: Path) -> Path:
    """Write the engine, and then its record, into `folder`; the path of the engine."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ENGINE_NAME
    path.write_bytes(engine)
    record = EngineRecord(
        **request.model_dump(), engine_bytes=len(engine), engine_sha256=hashlib.sha256(engine).hexdigest()
    )
    (folder / RECORD_NAME).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def read_record(engine: Path) -> EngineRecord:
    """The record beside an engine; a `UserError` if there is none or it is not one of ours."""
    path = engine.with_name(RECORD_NAME)
    try:
        return EngineRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{engine} has no {RECORD_NAME} beside it: export it again") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top"
        raise UserError(f"{path} is wrong at {where}: {first['msg']}; export it again") from error


def record_metadata(engine: Path) -> dict[str, str]:
    """What the record says of the model, by the keys of other formats' metadata. Errors as `read_record`."""
    record = read_record(engine)
    return {"model": record.model, "component": record.component, "precision": record.precision}


def check_engine(engine: Path, record: EngineRecord) -> None:
    """That the engine is whole and the one of its record; a `UserError` if not."""
    try:
        size = engine.stat().st_size
        if size != record.engine_bytes:
            raise UserError(f"{engine} has {size} bytes of {record.engine_bytes}: export it again")
        with engine.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{engine} cannot be read ({error.strerror}): export it again") from error
    if found != record.engine_sha256:
        raise UserError(f"{engine} is not the engine its {RECORD_NAME} describes: export it again")
