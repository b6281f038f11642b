"""Every artifact format there is, as one frozen table; a format is added by adding one literal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lite_vton.errors import UserError
from lite_vton.libraries.installed import is_installed
from lite_vton.messages.choices import one_of, suggestion

__all__ = ["FORMATS", "Format", "caveats", "known_format", "load_attribute", "require"]


@dataclass(frozen=True)
class Format:
    """One kind of artifact.

    `exporter`, `reader` and `runtime` are `module:name`, imported when first used, so that naming a format never
    imports another one's packages:

    exporter  (module, spec, config, folders by precision, *, latent_scale, calibration) -> path of each precision's
              file or folder; `calibration` holds inputs of real calls, and is empty unless the plan needs them;
              `options` too for a format that has some in `lite_vton_export.options.ExportOptions`
    reader    (path) -> the precision found in it
    about     (path) -> the short copy of the manifest in its metadata, by key; None where it carries none
    shares    (path) -> `lite_vton_export.precision.shares.Shares`, how much of it is in which precision; None where it
              cannot be told
    runtime   (bundle, precision) -> a `lite_vton_runtimes.base.Runtime`, or a checker in its shape
    layout    (networks, folder) -> None, called once the components are written; None where there is nothing to add
    fused     a `Fuser` (`lite_vton_export.fused`): the whole try-on as one graph; None where the format has no such
              form
    readback  (bundle, precision) -> a `lite_vton_export.verify.readback.Readback`, for machines that have not what the
              runtime runs on
    fused_readback  the same of the fused form

    `needs` are the packages it takes, by import name; "a|b" where one of two will do.
    `calibrated` are those of its precisions that are quantised to the ranges of activations along real try-ons.
    `keeps_float32` says that the exporter also takes `safety`, what fp16 must not touch
    (`lite_vton_export.precision.half_safety`), None where nothing in the plan is in fp16.
    `from_onnx` says that the exporter needs no module where the bundle holds float32 ONNX files: what was imported as
    such can be written in the format.
    `checked_up_to` is the largest picture, in pixels, that "all" includes it for: what runs it here takes too long for
    more.
    `caveat` is what a report has to say about figures that were not measured on what will run the artifact.
    """

    name: str
    description: str
    precisions: tuple[str, ...]
    suffix: str
    needs: tuple[str, ...]
    extra: str
    exporter: str
    reader: str
    runtime: str
    about: str | None = None
    shares: str | None = None
    layout: str | None = None
    fused: str | None = None
    readback: str | None = None
    fused_readback: str | None = None
    calibrated: tuple[str, ...] = ()
    keeps_float32: bool = False
    from_onnx: bool = False
    checked_up_to: int | None = None
    caveat: str | None = None

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [need for need in self.needs if not any(is_installed(package) for package in need.split("|"))]

    @property
    def lacks(self) -> str:
        """The same in words, with the command that brings it."""
        return f"{', '.join(self.missing).replace('|', ' or ')}: pip install 'lite-vton[{self.extra}]'"


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            name="onnx",
            description="ONNX opset 18, for ONNX Runtime everywhere and as the source of TensorRT engines",
            precisions=("fp32", "fp16", "int8", "w8"),
            suffix=".onnx",
            needs=("torch", "onnx", "onnxscript"),
            extra="export",
            exporter="lite_vton_export.onnx.write:export_onnx",
            reader="lite_vton_export.onnx.precision:found_precision",
            about="lite_vton_export.onnx.precision:metadata_of",
            shares="lite_vton_export.onnx.precision:precision_shares",
            runtime="lite_vton_runtimes.onnxruntime.runtime:OnnxRuntime",
            layout="lite_vton_export.onnx.layout:write_layout",
            fused="lite_vton_export.onnx.fused:write_fused_onnx",
            calibrated=("int8",),
            keeps_float32=True,
            from_onnx=True,
        ),
        Format(
            name="openvino",
            description="OpenVINO, the fastest on CPUs of Intel and AMD; bf16 and int8 are computed as such",
            precisions=("fp32", "fp16", "bf16", "int8"),
            suffix=".xml",
            needs=("torch", "onnx", "onnxscript", "openvino", "nncf"),
            extra="openvino",
            exporter="lite_vton_export.openvino.write:export_openvino",
            reader="lite_vton_export.openvino.precision:found_openvino_precision",
            about="lite_vton_export.openvino.precision:openvino_metadata",
            shares="lite_vton_export.openvino.precision:openvino_shares",
            runtime="lite_vton_runtimes.openvino.runtime:OpenVinoRuntime",
            fused="lite_vton_export.openvino.fused:write_fused_openvino",
            calibrated=("int8",),
            from_onnx=True,
        ),
        Format(
            name="tensorrt",
            description="TensorRT engines for NVIDIA GPUs from Ampere on; built and read back without one",
            precisions=("fp32", "fp16"),
            suffix=".engine",
            needs=("torch", "onnx", "onnxscript", "polygraphy", "tensorrt_rtx|tensorrt"),
            extra="tensorrt",
            exporter="lite_vton_export.tensorrt.write:export_tensorrt",
            reader="lite_vton_export.tensorrt.precision:found_precision",
            about="lite_vton_runtimes.tensorrt.engine:record_metadata",
            shares="lite_vton_export.tensorrt.precision:engine_shares",
            runtime="lite_vton_runtimes.tensorrt.runtime:TensorRTRuntime",
            fused="lite_vton_export.tensorrt.fused:write_fused_tensorrt",
            readback="lite_vton_export.tensorrt.readback:read_back_engines",
            fused_readback="lite_vton_export.tensorrt.fused:read_back_fused",
            keeps_float32=True,
            from_onnx=True,
        ),
        Format(
            name="coreml",
            description="Core ML packages for iOS 16 and later; checked on any system by computing the saved program",
            precisions=("fp32", "fp16", "p8", "p6", "p4", "w8"),
            suffix=".mlpackage",
            needs=("torch", "coremltools", "sklearn"),
            extra="coreml",
            exporter="lite_vton_export.coreml.write:export_coreml",
            reader="lite_vton_export.coreml.precision:found_coreml_precision",
            about="lite_vton_export.coreml.package:package_metadata",
            shares="lite_vton_export.coreml.precision:coreml_shares",
            runtime="lite_vton_export.coreml.evaluator.runtime:CoreMLEvaluator",
            fused="lite_vton_export.coreml.fused:write_fused_coreml",
            keeps_float32=True,
            caveat="computed operation by operation on this CPU; the Neural Engine may round differently inside them",
        ),
        Format(
            name="coreai",
            description="Core AI assets, Apple's successor of Core ML; Linux runs them by an interpreter, slowly",
            precisions=("fp32", "fp16"),
            suffix=".aimodel",
            needs=("torch", "coreai", "coreai_torch"),
            extra="coreai",
            exporter="lite_vton_export.coreai.write:export_coreai",
            reader="lite_vton_export.coreai.write:found_coreai_precision",
            about="lite_vton_export.coreai.write:coreai_metadata",
            shares="lite_vton_export.coreai.write:coreai_shares",
            runtime="lite_vton_runtimes.coreai.runtime:CoreAIRuntime",
            fused="lite_vton_export.coreai.fused:write_fused_coreai",
            keeps_float32=True,
            checked_up_to=256 * 192,
        ),
    )
}


def load_attribute(path: str) -> Any:
    """What `module:name` names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def require(formats: Iterable[str], precisions: Iterable[str]) -> tuple[tuple[Format, str], ...]:
    """Every format paired with every precision, in the order given, each once.

    Raises `UserError` for a format that does not exist (naming the nearest), for a precision it does not have, and
    for packages that are not installed (naming the extra).
    """
    pairs: dict[tuple[str, str], Format] = {}
    for name in formats:
        row = FORMATS[one_of("format", name, FORMATS)]
        if row.missing:
            raise UserError(f"format {name} needs {row.lacks}")
        for precision in precisions:
            if precision not in row.precisions:
                raise UserError(f"{name} is not written in {precision!r}: {suggestion(precision, row.precisions)}")
            pairs[name, precision] = row
    if not pairs:
        raise UserError("nothing to export: name at least one format and one precision")
    return tuple((row, precision) for (_, precision), row in pairs.items())


def known_format(format: str) -> Format:
    """The row of a format that a bundle names; a `UserError` if this version does not know it."""
    if format not in FORMATS:
        raise UserError(f"this lite-vton cannot run {format!r} artifacts: upgrade it, or verify the others alone")
    return FORMATS[format]


def caveats(formats: Iterable[str]) -> tuple[str, ...]:
    """What a report on artifacts of these formats has to say beside the figures, each once."""
    rows = (FORMATS[name] for name in dict.fromkeys(formats) if name in FORMATS)
    return tuple(f"{row.name}: {row.caveat}" for row in rows if row.caveat is not None)
