"""Core ML packages are written, computed as saved, and held to the gates; a wrong one is caught by its numbers."""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from export.bundle import export_bundle
from export.gates import GATES
from export.golden import load_trajectory
from export.options import CoreMLOptions, ExportOptions
from export.parity import closeness
from export.verify import verify
from lite_vton.bundle import Bundle, record_files, write_manifest
from lite_vton.cli import main
from lite_vton.errors import UserError
from lite_vton.inputs import TryOnInputs
from lite_vton.model.components import components_of
from lite_vton.model.networks import Networks

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from coremltools.models import MLModel
from coremltools.proto import MIL_pb2, Model_pb2

from export.coreml import export_coreml
from export.coreml_evaluator import CoreMLEvaluator, Evaluator
from export.coreml_package import opened_package
from export.coreml_precision import found_coreml_precision, precision_shares

PRECISIONS = ("fp32", "fp16", "p6", "w8")
WEIGHTS = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"
PROGRAM = "model.mlpackage/Data/com.apple.CoreML/model.mlmodel"
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("coreml") / "tiny"
    options = ExportOptions(coreml=CoreMLOptions(compute_units="cpu-and-ne"))
    return export_bundle(networks, inputs, target, ("coreml",), PRECISIONS, steps=2, options=options)


@pytest.fixture
def spoilt(tmp_path: Path, written: Bundle) -> Callable[[Damage], Bundle]:
    """A copy of the bundle after some damage, with a manifest that believes it."""

    def copy(damage: Damage) -> Bundle:
        root = tmp_path / "spoilt"
        shutil.copytree(written.root, root)
        damage(root)
        write_manifest(root, written.manifest.model_copy(update={"files": record_files(root)}))
        return Bundle.open(root)

    return copy


def edited(program: Path, edit: Callable[[Model_pb2.Model], object]) -> None:
    model = Model_pb2.Model.FromString(program.read_bytes())
    edit(model)
    program.write_bytes(model.SerializeToString())


def operations(model: Model_pb2.Model) -> list[MIL_pb2.Operation]:
    function = model.mlProgram.functions["main"]
    return list(function.block_specializations[function.opset].operations)


def test_every_precision_passes_the_gates_and_is_what_it_is_called(written: Bundle) -> None:
    report = verify(written, write=False)
    assert report.exit_code == 0, str(report)
    assert [set(artifact.found.values()) for artifact in report.artifacts] == [{name} for name in PRECISIONS]
    fp32, fp16, p6, w8 = (min(call.psnr_db for call in artifact.calls) for artifact in report.artifacts)
    assert fp32 > 110
    assert 55 < fp16 < 100
    assert 30 < p6 < w8 < fp16


def test_the_report_says_once_what_a_cpu_cannot_know(written: Bundle) -> None:
    report = verify(written, artifacts=["coreml-fp16", "coreml-w8"], write=False)
    assert str(report).count("Neural Engine may round differently") == 1
    assert len(report.to_json()["caveats"]) == 1


def test_tensors_are_named_and_typed_as_the_table_says(written: Bundle) -> None:
    for name, tensors in written.manifest.components.items():
        evaluator = Evaluator.of_package(written.path(f"coreml-fp16/{name}/model.mlpackage"))
        types = {"float32": "fp32", "int64": "int32"}
        assert evaluator.inputs == {spec.name: (types[spec.dtype], spec.shape) for spec in tensors.inputs}
        assert evaluator.outputs == {spec.name: ("fp32", spec.shape) for spec in tensors.outputs}


def test_the_hint_and_the_compact_manifest_are_inside_and_in_the_manifest(written: Bundle) -> None:
    metadata = opened_package(written.path("coreml-p6/unet/model.mlpackage")).metadata
    assert metadata["lite_vton.component"] == "unet"
    assert metadata["lite_vton.precision"] == "p6"
    assert metadata["lite_vton.compute_units"] == "cpu-and-ne"
    options = written.manifest.artifacts["coreml-p6"].options
    assert options == {"target": "ios17", "compute_units": "cpu-and-ne", "attention": "original"}


def test_shares_are_of_the_multiplications(written: Bundle) -> None:
    assert precision_shares(written.path("coreml-fp16/unet/model.mlpackage")) == {"fp16": 1.0}
    shares = precision_shares(written.path("coreml-p6/vae_decoder/model.mlpackage"))
    assert set(shares) == {"p6", "fp16"}
    assert shares["p6"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_statistics_and_angles_stay_in_single_and_products_are_half(written: Bundle) -> None:
    from export.coreml_package import type_name

    kinds: dict[str, set[str]] = {}
    for op in opened_package(written.path("coreml-fp16/unet/model.mlpackage")).function.operations:
        kinds.setdefault(op.op_type, set()).add(type_name(op.outputs[0]))
    for kind in ("reduce_mean", "square", "sqrt", "real_div", "sub", "softmax", "layer_norm", "sin", "cos", "gather"):
        assert kinds[kind] == {"fp32"}, kind
    for kind in ("conv", "linear", "matmul", "silu", "gelu"):
        assert kinds[kind] == {"fp16"}, kind


def test_palettes_and_8_bits_take_the_room_they_should(written: Bundle) -> None:
    size = {name: written.path(f"coreml-{name}/vae_decoder/{WEIGHTS}").stat().st_size for name in PRECISIONS}
    assert size["fp16"] < 0.55 * size["fp32"]
    assert size["w8"] < 0.65 * size["fp16"]
    assert size["p6"] < 0.85 * size["w8"]


def scale_a_layer(precision: str) -> Damage:
    """One layer's weights 5 % larger, in the blob alone: its numbers, its palette or its scales."""

    def damage(root: Path) -> None:
        program = Model_pb2.Model.FromString((root / f"coreml-{precision}/vae_decoder" / PROGRAM).read_bytes())
        kinds = {"p6": ("constexpr_lut_to_dense", "lut"), "w8": ("constexpr_affine_dequantize", "scale")}
        kind, name = kinds.get(precision, ("const", "val"))
        values = [op.attributes[name] for op in operations(program) if op.type == kind]
        # The last of them, as what comes after could make little of it; of constants, a convolution's weights.
        last = [v for v in values if kind != "const" or len(v.type.tensorType.dimensions) == 4][-1]
        path = root / f"coreml-{precision}/vae_decoder" / WEIGHTS
        blob = bytearray(path.read_bytes())
        # A record of 64 bytes: sentinel and type of 4 bytes each, then how many bytes and where, of 8 each.
        size, start = struct.unpack_from("<QQ", blob, last.blobFileValue.offset + 8)
        numbers = np.frombuffer(blob, np.float32 if precision == "fp32" else np.float16, offset=start, count=-1)
        numbers[: size // numbers.itemsize] *= 1.05
        path.write_bytes(blob)

    return damage


@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_layer_5_percent_off_is_caught_by_the_numbers(
    precision: str, written: Bundle, spoilt: Callable[[Damage], Bundle]
) -> None:
    name = f"coreml-{precision}"
    intact = verify(written, artifacts=[name], write=False).artifacts[0].worst("vae_decoder").psnr_db
    bundle = spoilt(scale_a_layer(precision))
    assert found_coreml_precision(bundle.path(f"{name}/vae_decoder/model.mlpackage")) == precision
    # Coarse weights pass coarse gates: they are held to what the intact file reached.
    report = verify(bundle, artifacts=[name], min_psnr=intact - 0.5, write=False)
    assert report.exit_code == 1
    assert any("vae_decoder step" in text for text in report.artifacts[0].failures)
    if precision == "fp32":
        assert verify(bundle, artifacts=[name], write=False).exit_code == 1


def test_another_precision_in_its_place_fails(spoilt: Callable[[Damage], Bundle]) -> None:
    def swap(root: Path) -> None:
        shutil.rmtree(root / "coreml-fp16/unet")
        shutil.copytree(root / "coreml-w8/unet", root / "coreml-fp16/unet")

    report = verify(spoilt(swap), artifacts=["coreml-fp16"], write=False)
    assert report.exit_code == 1
    assert "unet is w8 inside, not fp16" in report.artifacts[0].failures


def test_two_inputs_swapped_fail(spoilt: Callable[[Damage], Bundle]) -> None:
    def swap(model: Model_pb2.Model) -> None:
        """The first difference the other way round."""
        for op in operations(model):
            if op.type == "sub":
                x, y = (op.inputs[name].arguments[0] for name in "xy")
                kept = MIL_pb2.Argument.Binding.FromString(x.SerializeToString())
                x.CopyFrom(y)
                y.CopyFrom(kept)
                return

    bundle = spoilt(lambda root: edited(root / "coreml-fp16/unet" / PROGRAM, swap))
    report = verify(bundle, artifacts=["coreml-fp16"], write=False)
    assert report.exit_code == 1
    assert all("unet step" in text or "final picture" in text for text in report.artifacts[0].failures)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1000]),
        lambda folder: (folder / WEIGHTS).write_bytes(b""),
        lambda folder: (folder / WEIGHTS).unlink(),
        lambda folder: (folder / WEIGHTS).write_bytes(b"\xff" * 4096),
        lambda folder: (folder / PROGRAM).write_bytes((folder / PROGRAM).read_bytes()[:-1000]),
        lambda folder: (folder / PROGRAM).write_bytes(b""),
        lambda folder: (folder / PROGRAM).unlink(),
        lambda folder: (folder / "model.mlpackage/Manifest.json").unlink(),
        lambda folder: shutil.rmtree(folder / "model.mlpackage"),
    ],
    ids=[
        "weights cut short",
        "weights empty",
        "weights gone",
        "weights of another kind",
        "program cut short",
        "program empty",
        "program gone",
        "manifest gone",
        "nothing there",
    ],
)
def test_a_package_that_is_not_whole_is_one_line(written: Bundle, tmp_path: Path, damage: Damage) -> None:
    shutil.copytree(written.path("coreml-fp16/vae_decoder"), tmp_path / "vae_decoder")
    damage(tmp_path / "vae_decoder")
    for read in (found_coreml_precision, Evaluator.of_package):
        with pytest.raises(UserError, match="no whole Core ML package") as caught:
            read(tmp_path / "vae_decoder/model.mlpackage")
        assert "\n" not in str(caught.value)


def test_weights_cut_short_exit_1(spoilt: Callable[[Damage], Bundle], capfd: pytest.CaptureFixture[str]) -> None:
    def cut(root: Path) -> None:
        path = root / "coreml-w8/vae_encoder" / WEIGHTS
        path.write_bytes(path.read_bytes()[:-1000])

    bundle = spoilt(cut)
    assert main(["verify", str(bundle.root), "--artifact", "coreml-w8"]) == 1
    said = capfd.readouterr()
    assert "no whole Core ML package" in said.out
    assert "Traceback" not in said.out + said.err


def test_another_networks_package_is_refused(spoilt: Callable[[Damage], Bundle]) -> None:
    def swap(root: Path) -> None:
        shutil.rmtree(root / "coreml-fp16/vae_encoder")
        shutil.copytree(root / "coreml-fp16/vae_decoder", root / "coreml-fp16/vae_encoder")

    with pytest.raises(UserError, match="vae_encoder has other tensors than sample"):
        CoreMLEvaluator(spoilt(swap), "fp16")


@pytest.fixture(scope="module")
def decoder(networks: Networks) -> nn.Module:
    return components_of(networks.config)["vae_decoder"].wrap(networks)


@pytest.mark.parametrize(("target", "version"), [("ios16", 7), ("ios18", 9)])
def test_an_older_and_a_newer_system(
    tmp_path: Path, networks: Networks, decoder: nn.Module, target: str, version: int
) -> None:
    spec = components_of(networks.config)["vae_decoder"]
    folders = {precision: tmp_path / precision for precision in ("fp16", "p4", "w8")}
    paths = export_coreml(decoder, spec, networks.config, folders, options=CoreMLOptions(target=target))
    latent = np.random.default_rng(0).standard_normal((1, 4, 8, 6)).astype(np.float32)
    with torch.no_grad():
        expected = decoder(torch.from_numpy(latent)).numpy()
    for precision, path in paths.items():
        assert MLModel(str(path), skip_model_load=True).get_spec().specificationVersion == version
        assert found_coreml_precision(path) == precision
        found = Evaluator.of_package(path)({"latent_sample": latent})["sample"]
        assert np.abs(found - expected).max() < {"fp16": 0.01, "w8": 0.02, "p4": 0.3}[precision]


def test_attention_a_head_at_a_time_is_what_is_written_and_answers_the_same(
    tmp_path: Path, written: Bundle, networks: Networks
) -> None:
    spec = components_of(networks.config)["unet"]
    options = CoreMLOptions(target="ios18", attention="split-einsum")
    (path,) = export_coreml(
        spec.wrap(networks), spec, networks.config, {"fp32": tmp_path / "unet"}, options=options
    ).values()
    kinds = {op.op_type for op in opened_package(path).function.operations}
    assert "einsum" in kinds
    assert not {"matmul", "scaled_dot_product_attention"} & kinds
    assert opened_package(path).metadata["lite_vton.attention"] == "split-einsum"
    assert written.manifest.golden is not None
    call = next(c for c in load_trajectory(written.path(written.manifest.golden)).calls if c.component == "unet")
    answer = Evaluator.of_package(path)(call.inputs)["out_sample"]
    assert closeness(answer.astype(np.float32), call.outputs["out_sample"]).psnr_db > 110


def test_nothing_but_the_packages_is_left_even_after_a_failure(
    tmp_path: Path, networks: Networks, decoder: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    spec = components_of(networks.config)["vae_decoder"]
    folders = {"fp16": tmp_path / "out/fp16/vae_decoder", "p8": tmp_path / "out/p8/vae_decoder"}
    export_coreml(decoder, spec, networks.config, folders)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    inside = ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin")
    assert left == {f"out/{name}/vae_decoder/model.mlpackage/{file}" for name in ("fp16", "p8") for file in inside}
    assert tempfile.tempdir == str(elsewhere)
    with pytest.raises(UserError, match="cannot be converted to Core ML for ios17"):
        export_coreml(Unconvertible(), spec, networks.config, {"fp32": tmp_path / "bad/fp32/vae_decoder"})
    assert [path for path in (tmp_path / "bad").rglob("*") if path.is_file()] == []
    assert list(tmp_path.rglob(".coreml-*")) == []


class Unconvertible(nn.Module):
    def forward(self, latent_sample: torch.Tensor) -> torch.Tensor:
        """With an operation that coremltools does not know."""
        return torch.special.bessel_j0(latent_sample)


def test_weights_beyond_a_half_are_refused_and_not_clipped(tmp_path: Path, networks: Networks) -> None:
    spec = components_of(networks.config)["vae_decoder"]
    loud = nn.Conv2d(4, 3, 1)
    with torch.no_grad():
        loud.weight[0, 0] = 70000.0
    with pytest.raises(UserError, match="beyond float16"):
        export_coreml(loud, spec, networks.config, {"fp16": tmp_path / "a"})
    assert list(tmp_path.iterdir()) == []


def test_a_precision_it_does_not_have_is_refused(tmp_path: Path, networks: Networks, decoder: nn.Module) -> None:
    spec = components_of(networks.config)["vae_decoder"]
    with pytest.raises(UserError, match="not written in 'int8'"):
        export_coreml(decoder, spec, networks.config, {"int8": tmp_path / "a"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "coreml", "--coreml-target", "ios15"], "choose one of ios16, ios17, ios18"),
        (["--format", "coreml", "--compute-units", "ane"], "unknown compute units 'ane'"),
        (["--format", "coreml", "--attention", "flash"], "original, split-einsum"),
        (["--format", "onnx", "--attention", "split-einsum"], "add --format coreml"),
        (["--format", "coreml", "--precision", "bf16"], "coreml is not written in 'bf16'"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "tiny", "-o", str(tmp_path / "out"), *words]) == 2
    assert said in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_palettes_are_held_to_the_gate_of_the_design() -> None:
    for precision in ("p8", "p6", "p4"):
        assert (GATES[precision].psnr_db, GATES[precision].cosine, GATES[precision].picture_psnr_db) == (30, 0.999, 35)
