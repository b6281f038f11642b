"""What `manifest.json` says: frozen pydantic models, whose JSON Schema is `docs/bundle.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lite_vton.bundle.paths import is_confined
from lite_vton.bundle.strict_json import strict_json
from lite_vton.bundle.written_model import WrittenModel
from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig

__all__ = [
    "KIND",
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "Artifact",
    "Calibration",
    "ComponentFiles",
    "ComponentTensors",
    "FileRecord",
    "FusedArtifact",
    "InputChannels",
    "KeptInFloat32",
    "Manifest",
    "Parity",
    "RelativePath",
    "ScheduleNumbers",
    "Source",
    "TensorSpec",
    "Tolerance",
    "compact_metadata",
    "parse_manifest",
    "schema",
    "unet_channels",
]

KIND: Literal["lite-vton-bundle"] = "lite-vton-bundle"
SCHEMA_VERSION = 1
"""Raised when an older reader would misread the file; new optional fields do not raise it."""
MANIFEST_NAME = "manifest.json"


def _stays_inside(path: str) -> str:
    if not is_confined(path):
        raise ValueError(f"path {path!r} leaves the bundle")
    return path


RelativePath = Annotated[str, AfterValidator(_stays_inside)]
"""A path below the bundle, with forward slashes."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    # Unknown fields are ignored, so that a later writer of the same schema version may add some.
    model_config = ConfigDict(frozen=True, extra="ignore")


_DTYPE = r"^(bool|u?int(8|16|32|64)|float(16|32|64))$"
_LARGEST = 1 << 14
"""Limit for each whole number of a model: pixels of a side, channels, steps."""


class TensorSpec(_Record):
    """One tensor that goes into or comes out of a component."""

    name: str
    shape: tuple[int, ...]
    dtype: str = Field(default="float32", description="numpy's name for the element type", pattern=_DTYPE)
    range: tuple[float, float] | None = Field(default=None, description="lowest and highest value, if bounded")
    meaning: str = ""


class ComponentTensors(_Record):
    """A network as every backend has to offer it."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class InputChannels(_Record):
    """Which channels of the U-Net's `sample` carry what: `[start, stop)`."""

    name: str
    start: int
    stop: int


class ScheduleNumbers(_Record):
    """The noise schedule as numbers, for ports that have no diffusers.

    `alphas_cumprod[t]` is alpha-bar after `t + 1` noising steps; `timesteps` are those that the default
    sampler visits in the default number of steps, noisiest first.
    """

    num_train_timesteps: int
    beta_start: float
    beta_end: float
    beta_schedule: str = "scaled_linear"
    prediction_type: str = "epsilon"
    timesteps: tuple[int, ...]
    alphas_cumprod: tuple[float, ...]


class Source(_Record):
    """Where the weights came from. `sha256` covers the weight files of this bundle."""

    checkpoint: str
    sha256: Sha256


class Parity(_Record):
    """How close one component came to torch float32, the worst over the golden steps."""

    psnr_db: float = Field(description="peak = the reference's own range; 200 where identical")
    cosine: float
    max_abs: float
    echoes: tuple[tuple[float, ...], ...] = Field(
        default=(), description="of each golden answer, its products with 16 fixed random vectors"
    )


class ComponentFiles(_Record):
    """One component in one artifact."""

    model: RelativePath = Field(description="the file or folder a backend opens")
    precision_found: str = Field(description="read back from the file, not what was asked for")
    parity: Parity | None = None


class Artifact(_Record):
    """One `<format>-<precision>` folder, complete by itself."""

    format: str
    precision: str
    components: dict[str, ComponentFiles]
    picture_psnr_db: float | None = Field(default=None, description="final picture of the golden sampling run")
    options: dict[str, str] = Field(default={}, description="what the format was told beyond precision, such as target")


class FusedArtifact(_Record):
    """One `<format>-<precision>-fused` folder: a whole try-on in a single graph, prepared arrays in, picture out."""

    format: str
    precision: str
    model: RelativePath = Field(description="the file or folder a backend opens")
    tensors: ComponentTensors = Field(description="in the order of the graph's own")
    method: str = Field(description="the sampling method inside")
    steps: int | None = Field(default=None, description="sampling steps inside; None where they are an input")
    precision_found: str = Field(description="read back from the file, not what was asked for")
    parity: Parity | None = Field(default=None, description="of `decoded` on the golden sampling run")
    picture_psnr_db: float | None = Field(default=None, description="of `picture` on the golden sampling run")


class Calibration(_Record):
    """What integer precisions were calibrated on: all calls of so many try-ons in torch float32."""

    source: str = Field(description="where the people came from")
    people: int = Field(gt=0)
    steps: int = Field(gt=0, description="sampling steps of each try-on")
    seed: int = Field(ge=0, description="of the first person's noise; each other's is one higher")


class KeptInFloat32(_Record):
    """What of one component stays in float32 at fp16, beside normalisation, softmax and the timestep's embedding.

    Derived from the largest values, and what float16 leaves of all values, along real calls; each name has its reason.
    """

    calls: int = Field(gt=0, description="how many calls of the component were measured")
    nodes: dict[str, str] = Field(description="of the ONNX file")
    modules: dict[str, str] = Field(description="of torch: the innermost ones that the nodes came from")
    blocks: dict[str, str] = Field(description="of torch: those that have to stay whole where modules are chosen")


class Tolerance(_Record):
    """What a component's outputs at every golden step, and the final picture, have to reach at one precision."""

    psnr_db: float
    cosine: float
    picture_psnr_db: float


class FileRecord(_Record):
    """One file as it was written."""

    sha256: Sha256
    bytes: int = Field(ge=0)


class Manifest(_Record):
    """Everything a port needs to know about the bundle without opening another file."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    kind: Literal["lite-vton-bundle"] = KIND
    model: WrittenModel = Field(description="the preset, in full")
    license: str = "Apache-2.0"
    source: Source
    tools: dict[str, str] = Field(description="versions of what wrote this, by package")
    machine: str = Field(default="", description="processor and GPU that the artifacts were measured on")
    height: int = Field(gt=0, description="pixels")
    width: int = Field(gt=0, description="pixels")
    latent_scale: float = Field(gt=0, description="latents are multiplied by this before noise is added")
    default_steps: int = Field(gt=0)
    default_sampler: str
    unet_channels: tuple[InputChannels, ...]
    schedule: ScheduleNumbers
    components: dict[str, ComponentTensors]
    artifacts: dict[str, Artifact] = Field(description="by folder name, such as onnx-fp16")
    fused: dict[str, FusedArtifact] = Field(default={}, description="by folder name, such as onnx-fp16-fused")
    weights: RelativePath | None = Field(default=None, description="folder of safetensors")
    golden: RelativePath | None = Field(default=None, description="npz of the golden trajectory")
    golden_reference: str = Field(
        default="torch-fp32", description="what recorded it; onnxruntime-fp32 where there is no torch network"
    )
    calibration: Calibration | None = Field(default=None, description="None where nothing had to be calibrated")
    kept_in_float32: dict[str, KeptInFloat32] = Field(
        default={}, description="by component; empty where nothing is in fp16"
    )
    gates: dict[str, Tolerance] = Field(default={}, description="by precision; what a port is held to")
    files: dict[RelativePath, FileRecord] = Field(description="every file but this one and the reports")

    @model_validator(mode="after")
    def _can_be_run(self) -> Manifest:
        # A reader makes arrays and networks of these sizes before anything else can tell that they are wrong.
        if any(number > _LARGEST for number in _whole_numbers(asdict(self.model))):
            raise ValueError(f"a model with a number above {_LARGEST}")
        schedule, scale = self.model.schedule, self.model.autoencoder.downscale
        if not 0 < schedule.beta_start <= schedule.beta_end < 1:
            raise ValueError(f"noise from {schedule.beta_start} to {schedule.beta_end}: expected 0 < start <= end < 1")
        if not 1 <= self.model.default_steps <= schedule.num_train_timesteps:
            raise ValueError(f"{self.model.default_steps} steps of {schedule.num_train_timesteps}")
        if not 1 <= scale <= _LARGEST or self.model.height % scale or self.model.width % scale:
            raise ValueError(f"{self.model.height}x{self.model.width} pixels are not latents of {scale} pixels a side")
        return self

    def is_reference(self, artifact: str) -> bool:
        """Whether the golden trajectory is what this artifact itself answered, as after an import of ONNX files."""
        return (self.golden_reference, artifact) == ("onnxruntime-fp32", "onnx-fp32")


def _whole_numbers(value: object) -> Iterator[int]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from _whole_numbers(one)
    elif isinstance(value, int):
        yield abs(value)


def unet_channels(config: ModelConfig) -> tuple[InputChannels, ...]:
    """The layout of the U-Net's input for a model, from its conditions."""
    stops = [0]
    for _, count in config.conditions:
        stops.append(stops[-1] + count)
    return tuple(
        InputChannels(name=name, start=start, stop=stop)
        for name, start, stop in zip(config.unet.conditions, stops[:-1], stops[1:], strict=True)
    )


def compact_metadata(
    config: ModelConfig, *, component: str, precision: str, latent_scale: float, license: str = "Apache-2.0"
) -> dict[str, str]:
    """The manifest in a few strings, as ONNX and Core ML metadata want them."""
    layout = ",".join(f"{c.name}:{c.start}-{c.stop}" for c in unet_channels(config))
    return {
        "kind": KIND,
        "schema_version": str(SCHEMA_VERSION),
        "model": config.name,
        "component": component,
        "precision": precision,
        "height": str(config.height),
        "width": str(config.width),
        "latent_scale": repr(latent_scale),
        "unet_channels": layout,
        "license": license,
    }


def parse_manifest(text: bytes, name: str) -> Manifest:
    """A manifest from the bytes of its file; `name` is what errors call it."""
    try:
        data = strict_json(text)
    except ValueError as error:
        raise UserError(f"{name} is not JSON ({error}): export the bundle again") from error
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise UserError(f"{name} does not describe a bundle (no kind {KIND!r}): give what `lite-vton export` wrote")
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(
            f"{name} has schema version {version}, this lite-vton reads up to {SCHEMA_VERSION}: upgrade lite-vton"
        )
    try:
        return Manifest.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{name} is wrong at {where}: {first['msg']}; export the bundle again") from error


def schema() -> dict[str, Any]:
    """JSON Schema of `manifest.json`, published as `docs/bundle.schema.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TypeAdapter(Manifest).json_schema(mode="serialization"),
    }
