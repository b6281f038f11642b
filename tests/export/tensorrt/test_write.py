"""Engines are built and read back without a GPU; a spoilt one is found out although every hash agrees."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open
from torch import nn

from lite_vton import load
from lite_vton.bundle import Bundle
from lite_vton.cli import main
from lite_vton.errors import UserError
from lite_vton.model.components import ComponentSpec, components_of
from lite_vton.model.networks import Networks, shipped_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.onnx.precision import precision_shares as shares_of_onnx
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.tensorrt.engine import EngineRequest, read_record, write_engine
from lite_vton_runtimes.tensorrt.nvidia import first_gpu

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT: pip install 'lite-vton[tensorrt]'")

from lite_vton_export.tensorrt.plan import read_plan
from lite_vton_export.tensorrt.precision import engine_shares, found_precision
from lite_vton_export.tensorrt.write import export_tensorrt

pytestmark = pytest.mark.slow

Spoilt = Callable[[Callable[[Path], object]], Bundle]
without_gpu = pytest.mark.skipif(first_gpu() is not None, reason="what is said where there is no GPU")


def believe(engine: Path, content: bytes, **changes: object) -> None:
    """Put other content in an engine's place, and a record that agrees with it and says `changes`."""
    asked = read_record(engine).model_dump(include=set(EngineRequest.model_fields))
    write_engine(EngineRequest(**{**asked, **changes}), content, engine.parent)


def scale_a_layer(engine: Path, weights: Path, dtype: type[np.floating], by: float = 1.05) -> None:
    """Multiply one convolution's weights where they lie in the engine, channels last."""
    content = engine.read_bytes()
    with safe_open(weights, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118  # not a mapping
            tensor = file.get_tensor(name)
            if tensor.ndim != 4 or tensor.shape[2] == 1:
                continue
            inside = np.ascontiguousarray(tensor.transpose(0, 2, 3, 1).astype(dtype))
            if content.count(inside.tobytes()) == 1:
                return believe(engine, content.replace(inside.tobytes(), (inside * dtype(by)).tobytes()))
    raise AssertionError("no convolution lies in the engine as expected")


# What a good one is


def test_both_precisions_are_built_and_are_what_they_are_called(engines: Bundle, networks: Networks) -> None:
    for precision in ("fp32", "fp16"):
        for name in networks.config.components:
            engine = engines.path(f"tensorrt-{precision}/{name}/model.engine")
            plan = read_plan(engine)
            assert found_precision(engine) == precision
            assert engine_shares(engine).multiplications == {precision: 1.0}
            declared = engines.manifest.components[name]
            assert [(t.name, t.shape, t.dtype) for t in plan.inputs] == [
                (t.name, t.shape, t.dtype) for t in declared.inputs
            ]


def test_every_multiplication_of_the_onnx_file_is_in_the_plan(engines: Bundle) -> None:
    """Counted apart: that a share is 100 % says little if most kernels were not seen."""
    model = onnx.shape_inference.infer_shapes(onnx.load(engines.path("onnx-fp32/unet/model.onnx")))
    shapes = {v.name: [a.dim_value for a in v.type.tensor_type.shape.dim] for v in model.graph.value_info}
    shapes |= {v.name: [a.dim_value for a in v.type.tensor_type.shape.dim] for v in model.graph.output}
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    wanted = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm") and node.input[1] in sizes:
            out = shapes[node.output[0]]
            wanted += sizes[node.input[1]] * int(np.prod(out[2:] if node.op_type == "Conv" else out[:-1]))
    plan = read_plan(engines.path("tensorrt-fp32/unet/model.engine"))
    assert sum(product.multiplications for product in plan.products) == wanted
    assert shares_of_onnx(engines.path("onnx-fp32/unet/model.onnx")) == plan.shares


def test_the_record_says_what_it_was_built_from(engines: Bundle) -> None:
    record = json.loads(engines.path("tensorrt-fp16/unet/model.json").read_text())
    assert record["flavour"] == "tensorrt-rtx"
    assert record["version"].startswith("1.")
    assert record["compute_capabilities"] == []
    assert record["onnx_sha256"] == engines.manifest.files["onnx-fp16/unet/model.onnx"].sha256
    assert record["engine_sha256"] == engines.manifest.files["tensorrt-fp16/unet/model.engine"].sha256
    assert (record["strongly_typed"], record["tf32"]) == (True, False)


@without_gpu
def test_verify_reads_them_back_and_says_that_it_has_not_run_them(
    engines: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITE_VTON_ENGINE_CACHE", "off")  # really built again
    report = verify(engines, write=False)
    assert report.exit_code == 0  # ONNX ran and passed
    text = str(report)
    assert "passed   onnx-fp16" in text
    assert "read back, not run  tensorrt-fp16: TensorRT engines run on NVIDIA GPUs, and this machine has none" in text
    assert "each byte of what the bundle's onnx-fp16 give when built again" in text
    (row,) = (row for row in report.artifacts if row.artifact == "tensorrt-fp16")
    assert (bool(row), row.failures, row.calls, row.picture_psnr_db) == (False, (), (), None)


@without_gpu
def test_alone_they_are_not_a_pass(engines: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(engines.root), "--artifact", "tensorrt-fp32,tensorrt-fp16"]) == 2
    assert "passed" not in capsys.readouterr().out


@without_gpu
def test_a_backend_without_a_gpu_says_so_in_one_line(engines: Bundle) -> None:
    with pytest.raises(UserError, match=r"^TensorRT engines run on NVIDIA GPUs, and this machine has none$"):
        load(engines, "tensorrt", "fp16")
    with pytest.raises(UserError, match="no execution provider"):
        load(engines, "tensorrt", "fp16", provider="CPUExecutionProvider")


def test_without_tensorrt_they_are_still_read(engines: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("tensorrt_rtx", "tensorrt"):
        monkeypatch.setitem(sys.modules, package, None)  # how Python marks a module that is not there
    with pytest.raises(UserError, match=r"needs the package tensorrt_rtx: pip install 'lite-vton\[tensorrt\]'"):
        load(engines, "tensorrt", "fp16")
    report = verify(engines, artifacts=["tensorrt-fp16"], write=False)
    assert report.exit_code == 2
    assert "the values of the bundle's weights, no byte of a rebuilt one (needs the package tensorrt_rtx)" in str(
        report
    )


@without_gpu
@pytest.mark.usefixtures("engine_cache")
def test_the_demo_student_is_exported_read_back_and_kept(tmp_path: Path) -> None:
    """The whole way, at the demo's size."""
    config = preset("demo")
    size = (config.height, config.width)
    person, garment, pose = np.random.default_rng(1).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    mask = np.zeros(size, np.float32)
    mask[32:96, 24:72] = 1
    bundle = export_bundle(
        shipped_networks(config),
        TryOnInputs.compose(person, mask, garment, mask, pose),
        tmp_path / "b",
        ("onnx", "tensorrt"),
        ("fp16",),
        steps=1,
    )
    files = bundle.manifest.artifacts["tensorrt-fp16"].components
    assert set(files) == set(config.components)
    assert all(file.parity is None and file.precision_found == "fp16" for file in files.values())
    report = json.loads(bundle.path("verify.json").read_text())
    ran, read = report["artifacts"]
    assert (ran["passed"], read["passed"], read["failures"]) == (True, False, [])
    assert "each byte of what the bundle's onnx-fp16 give when built again" in read["read_back"]


@without_gpu
def test_without_onnx_files_they_are_compared_with_the_weights(engines: Bundle) -> None:
    artifacts = {"tensorrt-fp16": engines.manifest.artifacts["tensorrt-fp16"]}
    bare = Bundle(engines.root, engines.manifest.model_copy(update={"artifacts": artifacts}))
    (row,) = verify(bare, write=False).artifacts
    assert row.failures == ()
    assert "each byte of what the bundle's weights give when built again" in row.read_back
    other = {**engines.manifest.tools, "torch": "2.0.0"}
    (row,) = verify(Bundle(engines.root, bare.manifest.model_copy(update={"tools": other})), write=False).artifacts
    assert any("was exported with torch 2.0.0, here is" in words for words in row.read_back)


# What a spoilt one is


@without_gpu
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", np.float32), ("fp16", np.float16)])
def test_one_layer_5_percent_off_is_found_in_the_values(
    spoilt_engines: Spoilt, precision: str, dtype: type[np.floating]
) -> None:
    bundle = spoilt_engines(
        lambda root: scale_a_layer(
            root / f"tensorrt-{precision}/unet/model.engine", root / "weights/unet.safetensors", dtype
        )
    )
    report = verify(bundle, artifacts=[f"tensorrt-{precision}"], write=False)
    assert report.exit_code == 1
    values, built = report.artifacts[0].failures
    assert "values of unet.safetensors are not in the engines" in values
    assert built == f"unet is not the engine that the bundle's onnx-{precision} give"
    assert f"FAILED   tensorrt-{precision}" in str(report)


@without_gpu
def test_the_values_alone_find_it_where_nothing_can_be_rebuilt(spoilt_engines: Spoilt) -> None:
    def damage(root: Path) -> None:
        engine = root / "tensorrt-fp16/vae_decoder/model.engine"
        scale_a_layer(engine, root / "weights/autoencoder.safetensors", np.float16)
        for record in (root / "tensorrt-fp16").glob("*/model.engine"):
            believe(record, record.read_bytes(), version="1.6.0")

    report = verify(spoilt_engines(damage), artifacts=["tensorrt-fp16"], write=False)
    (failure,) = report.artifacts[0].failures
    assert "values of autoencoder.safetensors are not in the engines" in failure
    assert "no byte of a rebuilt one (built by tensorrt-rtx 1.6.0" in ", ".join(report.artifacts[0].read_back)


def test_an_fp32_engine_in_the_fp16_folder_is_found_in_the_plan(spoilt_engines: Spoilt) -> None:
    def damage(root: Path) -> None:
        other = root / "tensorrt-fp32/unet/model.engine"
        believe(root / "tensorrt-fp16/unet/model.engine", other.read_bytes())

    report = verify(spoilt_engines(damage), artifacts=["tensorrt-fp16"], write=False)
    assert report.exit_code == 1
    assert "unet is fp32 inside, not fp16" in report.artifacts[0].failures


_ORDER = [*range(5), *range(9, 13), *range(5, 9)]
"""The U-Net's 13 channels with the pose where the person is."""


def swapped_at_the_door(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.input[:] = ["swapped" if name == "sample" else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.array(_ORDER, np.int64), "order"))
    model.graph.node.insert(0, helper.make_node("Gather", ["sample", "order"], ["swapped"], name="swap", axis=1))


def swapped_in_the_weights(model: onnx.ModelProto) -> None:
    """No tensor of the engine then has another name, shape, type or value."""
    (first,) = (tensor for tensor in model.graph.initializer if tensor.dims[1:] == [13, 3, 3])
    first.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(first)[:, _ORDER], first.name))


@without_gpu
@pytest.mark.parametrize("swap", [swapped_at_the_door, swapped_in_the_weights])
def test_an_engine_with_two_inputs_swapped_is_found_by_building_it_again(
    spoilt_engines: Spoilt, networks: Networks, tmp_path: Path, swap: Callable[[onnx.ModelProto], None]
) -> None:
    def damage(root: Path) -> None:
        model = onnx.load(root / "onnx-fp16/unet/model.onnx")
        swap(model)
        source = tmp_path / "other/onnx-fp16/unet/model.onnx"
        source.parent.mkdir(parents=True)
        onnx.save(model, source)
        spec = components_of(networks.config)["unet"]
        folder = tmp_path / "other/tensorrt-fp16/unet"
        export_tensorrt(spec.wrap(networks), spec, networks.config, {"fp16": folder})
        for name in ("model.engine", "model.json"):
            shutil.copy(folder / name, root / "tensorrt-fp16/unet" / name)

    bundle = spoilt_engines(damage)
    report = verify(bundle, artifacts=["tensorrt-fp16"], write=False)
    assert report.exit_code == 1
    assert report.artifacts[0].failures == ("unet: onnx_sha256 of its record are not what the bundle's onnx-fp16 give",)

    engine = bundle.root / "tensorrt-fp16/unet/model.engine"
    believe(engine, engine.read_bytes(), onnx_sha256=bundle.manifest.files["onnx-fp16/unet/model.onnx"].sha256)
    report = verify(bundle, artifacts=["tensorrt-fp16"], write=False)
    assert report.artifacts[0].failures == ("unet is not the engine that the bundle's onnx-fp16 give",)


def test_an_engine_of_another_component_is_found_by_its_tensors(spoilt_engines: Spoilt) -> None:
    def damage(root: Path) -> None:
        other = root / "tensorrt-fp32/vae_encoder/model.engine"
        believe(root / "tensorrt-fp32/vae_decoder/model.engine", other.read_bytes())

    report = verify(spoilt_engines(damage), artifacts=["tensorrt-fp32"], write=False)
    assert report.exit_code == 1
    assert "latent_sample" in report.artifacts[0].failures[0]


# What is no engine for here


def test_an_engine_cut_short_is_one_line(spoilt_engines: Spoilt) -> None:
    def cut(root: Path) -> None:
        engine = root / "tensorrt-fp16/unet/model.engine"
        engine.write_bytes(engine.read_bytes()[:-1000])

    bundle = spoilt_engines(cut)
    with pytest.raises(UserError, match=r"model\.engine has \d+ bytes of \d+: export it again"):
        load(bundle, "tensorrt", "fp16")
    assert verify(bundle, artifacts=["tensorrt-fp16"], write=False).exit_code == 1


@pytest.mark.parametrize("kept", [0, 8, 5000], ids=["nothing", "its mark", "its head"])
def test_one_cut_short_with_a_record_that_agrees_is_one_too(spoilt_engines: Spoilt, kept: int) -> None:
    def cut(root: Path) -> None:
        engine = root / "tensorrt-fp16/unet/model.engine"
        believe(engine, engine.read_bytes()[: kept or 1])

    report = verify(spoilt_engines(cut), artifacts=["tensorrt-fp16"], write=False)
    assert report.exit_code == 1
    assert "holds no plan that can be read" in report.artifacts[0].failures[0]


def test_an_engine_without_its_record_is_half_written(spoilt_engines: Spoilt) -> None:
    with pytest.raises(UserError, match=r"names the file 'model\.json', which the manifest does not list"):
        spoilt_engines(lambda root: (root / "tensorrt-fp16/unet/model.json").unlink())


def test_an_engine_of_another_version_is_refused_with_what_to_run(spoilt_engines: Spoilt) -> None:
    def damage(root: Path) -> None:
        engine = root / "tensorrt-fp16/unet/model.engine"
        believe(engine, engine.read_bytes(), version="1.6.0.14")

    bundle = spoilt_engines(damage)
    with pytest.raises(UserError, match=r"is for tensorrt-rtx 1\.6\.0\.14, here is .*: pip install tensorrt-rtx==1\.6"):
        load(bundle, "tensorrt", "fp16")
    report = verify(bundle, artifacts=["tensorrt-fp16"], write=False)
    assert report.exit_code == 2  # nothing is wrong with it
    assert "pip install tensorrt-rtx==1.6.0.14" in str(report)


def test_an_engine_for_another_gpu_is_refused_with_what_to_run(engines: Bundle) -> None:
    from lite_vton_runtimes.tensorrt.nvidia import Gpu
    from lite_vton_runtimes.tensorrt.runtime import _check_gpu

    record = read_record(engines.path("tensorrt-fp16/unet/model.engine"))
    _check_gpu(record, Gpu("any", (8, 0)))
    with pytest.raises(UserError, match=r"compute capability 8\.0 and newer, here is old, .* 7\.5: export it again on"):
        _check_gpu(record, Gpu("old", (7, 5)))
    narrow = record.model_copy(update={"compute_capabilities": ("8.9",)})
    with pytest.raises(UserError, match=r"compute capability 8\.9, here is new, .* 9\.0: export it again on"):
        _check_gpu(narrow, Gpu("new", (9, 0)))


# What is not built


@pytest.fixture
def decoder(networks: Networks) -> tuple[nn.Module, ComponentSpec]:
    spec = components_of(networks.config)["vae_decoder"]
    return spec.wrap(networks), spec


def test_a_precision_it_does_not_have_is_refused(
    tmp_path: Path, networks: Networks, decoder: tuple[nn.Module, ComponentSpec]
) -> None:
    with pytest.raises(UserError, match="not built in 'int8'"):
        export_tensorrt(*decoder, networks.config, {"int8": tmp_path / "a"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("engine_cache")
def test_an_operator_it_does_not_know_is_one_line_and_nothing_is_left(
    tmp_path: Path, networks: Networks, decoder: tuple[nn.Module, ComponentSpec]
) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Det", ["x"], ["y"], name="area")], "g", [x], [y])
    source = tmp_path / "onnx-fp32/vae_decoder/model.onnx"
    source.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), source)
    target = tmp_path / "tensorrt-fp32/vae_decoder"
    with pytest.raises(UserError, match=r"cannot build vae_decoder in fp32 \(Det area: unsupported node\): export"):
        export_tensorrt(*decoder, networks.config, {"fp32": target})
    source.write_bytes(source.read_bytes()[:20])
    with pytest.raises(UserError, match="not a readable ONNX file"):
        export_tensorrt(*decoder, networks.config, {"fp32": target})
    assert not target.exists()


@pytest.mark.usefixtures("engine_cache")
def test_it_can_be_narrowed_to_one_gpu(engines: Bundle, networks: Networks, tmp_path: Path) -> None:
    spec = components_of(networks.config)["vae_encoder"]
    shutil.copytree(engines.path("onnx-fp16"), tmp_path / "onnx-fp16")
    (path,) = export_tensorrt(
        spec.wrap(networks),
        spec,
        networks.config,
        {"fp16": tmp_path / "tensorrt-fp16/vae_encoder"},
        compute_capabilities=("8.9",),
    ).values()
    assert read_record(path).compute_capabilities == ("8.9",)
    assert "sm89" in path.read_bytes().decode("latin-1")
    assert found_precision(path) == "fp16"
