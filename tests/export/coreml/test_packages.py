"""Core ML packages are written, computed as saved, and held to the gates."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lite_vton.bundle import Bundle
from lite_vton.cli import main
from lite_vton.errors import UserError
from lite_vton.model.components import components_of
from lite_vton.model.networks import Networks
from lite_vton_export.options import CoreMLOptions
from lite_vton_export.parity.closeness import closeness
from lite_vton_export.parity.gates import GATES
from lite_vton_export.parity.golden import load_trajectory
from lite_vton_export.verify.run import verify

pytest.importorskip("coremltools", reason="needs Core ML's packages: pip install 'lite-vton[coreml]'")

from coremltools.models import MLModel

from lite_vton_export.coreml.evaluator import Evaluator
from lite_vton_export.coreml.package import opened_package
from lite_vton_export.coreml.precision import coreml_shares, found_coreml_precision
from lite_vton_export.coreml.write import export_coreml

pytestmark = pytest.mark.slow

PRECISIONS = ("fp32", "fp16", "p6", "w8")
WEIGHTS = "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin"


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
    assert coreml_shares(written.path("coreml-fp16/unet/model.mlpackage")).multiplications == {"fp16": 1.0}
    shares = coreml_shares(written.path("coreml-p6/vae_decoder/model.mlpackage")).multiplications
    assert set(shares) == {"p6", "fp16"}
    assert shares["p6"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def test_statistics_and_angles_stay_in_single_and_products_are_half(written: Bundle) -> None:
    from lite_vton_export.coreml.package import type_name

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
