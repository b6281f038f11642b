"""One small network in each format, made without training or exporting anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lite_vton.bundle import ComponentTensors
    from lite_vton_runtimes.base import Component

__all__ = ["bundle_files", "write_coreml", "write_engine_and_record", "write_onnx", "write_openvino"]


def write_onnx(path: Path, *, external: bool = False) -> Path:
    """A convolution, a product and a branch with a body, with every kind of weight that a file can hold."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(draw.standard_normal((4, 3, 3, 3)).astype(np.float32), "kernel"),
        numpy_helper.from_array(draw.standard_normal((8, 5)).astype(np.float32), "matrix"),
        helper.make_tensor("scale", TensorProto.FLOAT, (1,), [2.0]),
    ]
    answer = helper.make_tensor_value_info("branched", TensorProto.FLOAT, (1, 4, 8, 5))
    bodies = [
        helper.make_graph(
            [
                helper.make_node("Constant", [], [f"{name}_c"], value=numpy_helper.from_array(np.float32(2), "two")),
                helper.make_node("Mul", ["product", f"{name}_c"], ["branched"], name=name),
            ],
            name,
            [],
            [answer],
        )
        for name in ("then", "else")
    ]
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["y"], name="convolution", pads=[1, 1, 1, 1]),
        helper.make_node("MatMul", ["y", "matrix"], ["product"], name="product"),
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True), "yes")),
        helper.make_node("If", ["yes"], ["branched"], name="branch", then_branch=bodies[0], else_branch=bodies[1]),
        helper.make_node("Mul", ["branched", "scale"], ["z"], name="scaled"),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
    graph = helper.make_graph(
        nodes, "g", [given], [helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 4, 8, 5))], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"lite_vton.component": "unet", "lite_vton.fp32_nodes": '["product"]'})
    onnx.save(
        model,
        path,
        save_as_external_data=external,
        location="model.onnx.data",
        size_threshold=0,
        convert_attribute=False,
    )
    return path


def write_openvino(path: Path) -> Path:
    """The same network as `model.xml` and `model.bin`."""
    import tempfile

    import openvino as ov

    with tempfile.TemporaryDirectory() as folder:
        model = ov.convert_model(write_onnx(Path(folder) / "model.onnx"))
        ov.save_model(model, path, compress_to_fp16=False)
    return path


def write_coreml(path: Path) -> Path:
    """A convolution in an `.mlpackage`, its weights beside the program."""
    from lite_vton_export.coreml.package import quiet

    with quiet():
        import coremltools as ct
        from coremltools.converters.mil import Builder as mb  # noqa: N813  # as coremltools' own pages call it

        kernel = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(np.float32)

        @mb.program(input_specs=[mb.TensorSpec((1, 3, 8, 8))], opset_version=ct.target.iOS17)
        def program(x):  # type: ignore[no-untyped-def]  # coremltools' decorator gives it its type
            return mb.conv(x=x, weight=kernel, pad_type="same", name="z")

        model = ct.convert(
            program,
            convert_to="mlprogram",
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=ct.target.iOS17,
        )
        model.save(str(path))
    return path


def write_engine_and_record(folder: Path) -> Path:
    """A file that stands for an engine, and the record that says what it was built from."""
    from lite_vton_runtimes.tensorrt.engine import EngineRequest, EngineTensor, write_engine

    tensor = EngineTensor(name="x", shape=(1, 3, 8, 8), dtype="float32")
    request = EngineRequest(
        flavour="tensorrt-rtx",
        version="1.7.0",
        built_on="Linux x86_64",
        compute_capabilities=("8.9",),
        model="tiny",
        component="unet",
        precision="fp32",
        onnx_sha256="0" * 64,
        inputs=(tensor,),
        outputs=(tensor,),
    )
    return write_engine(request, np.random.default_rng(0).bytes(500), folder)


@cache
def bundle_files() -> dict[str, bytes]:
    """Every file of a bundle of the tiny model, by its path; its networks are others, which answer zeros."""
    import tempfile

    from lite_vton.bundle import Artifact, ComponentFiles, write_manifest
    from lite_vton.model.components import component_tensors
    from lite_vton.presets.table import preset
    from lite_vton.tryon.inputs import TryOnInputs
    from lite_vton_export.manifest.describe import manifest_of
    from lite_vton_export.onnx.layout import write_scheduler
    from lite_vton_export.parity.golden import GOLDEN_PATH, record_trajectory, save_trajectory

    config = preset("tiny")
    size = (config.height, config.width)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    inputs = TryOnInputs.compose(picture, mask, picture, mask, picture)
    tensors = component_tensors(config)
    files = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name in config.components:
            path = root / "onnx-fp32" / name / "model.onnx"
            path.parent.mkdir(parents=True)
            write_onnx(path)
            files[name] = ComponentFiles(model=path.relative_to(root).as_posix(), precision_found="fp32")
        write_scheduler(config, root / "scheduler")
        golden = record_trajectory(_Zeros(tensors), inputs, config, 1.0, steps=2)
        save_trajectory(golden, root / GOLDEN_PATH)
        artifacts = {"onnx-fp32": Artifact(format="onnx", precision="fp32", components=files)}
        manifest = manifest_of(config, 1.0, tensors, artifacts, "zeros", None, root, weights=None)
        write_manifest(root, manifest)
        report = {
            "artifact": "onnx-fp32",
            "precision": "fp32",
            "calls": [{"component": "unet", "psnr_db": 200.0}],
            "picture_psnr_db": 99.0,
            "shares": {"unet": {"multiplications": {"fp32": 1.0}}},
            "skipped": None,
            "passed": True,
        }
        (root / "verify.json").write_text(json.dumps({"kind": "lite-vton-verify", "artifacts": [report]}))
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class _Zeros:
    """A runtime whose networks answer zeros in the shapes that the manifest promises."""

    name = "zeros"

    def __init__(self, tensors: Mapping[str, ComponentTensors]) -> None:
        self.components: dict[str, Component] = {name: _answering(specs) for name, specs in tensors.items()}

    def close(self) -> None:
        self.components = {}


def _answering(specs: ComponentTensors) -> Component:
    return lambda _inputs: {spec.name: np.zeros(spec.shape, np.float32) for spec in specs.outputs}
