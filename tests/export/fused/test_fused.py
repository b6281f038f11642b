"""The whole try-on as one graph: the sampler's picture in any number of steps, and nothing altered passes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lite_vton import TryOn
from lite_vton.bundle import Bundle, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.bundle.plan import plan_export
from lite_vton_export.onnx.fused import fuse_onnx
from lite_vton_export.parity.closeness import picture_psnr
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.fused import try_on_fused
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("steps", range(1, 6))
def test_one_file_gives_the_samplers_picture_in_any_number_of_steps(
    steps: int, fused: Bundle, inputs: TryOnInputs
) -> None:
    with TryOn(fused, precision="fp32") as parts, TryOn(fused, precision="fp32", fused=True) as whole:
        wanted = parts(inputs, steps=steps, seed=steps)
        found = whole(inputs, steps=steps, seed=steps)
    assert picture_psnr(found.picture, wanted.picture) > 70
    np.testing.assert_allclose(found.decoded, wanted.decoded, atol=1e-4)
    outside = inputs.mask[0, 0] == 0
    np.testing.assert_array_equal(found.picture[outside], wanted.picture[outside])


def test_the_component_folders_stay_as_they_were(fused: Bundle, exported: Bundle) -> None:
    before, after = exported.manifest, fused.manifest
    assert after.artifacts == before.artifacts
    assert {name: after.files[name] for name in before.files} == before.files
    assert list(after.fused) == ["onnx-fp32-fused", "onnx-fp16-fused"]


def test_a_fused_artifact_keeps_what_was_measured_and_verifies_again(fused: Bundle) -> None:
    report = verify(fused, artifacts=["onnx-fp32-fused", "onnx-fp16-fused"], write=False)
    assert report.exit_code == 0
    for row in report.artifacts:
        told = fused.manifest.fused[row.artifact]
        assert row.found == {"try_on": row.precision}
        assert told.parity is not None
        assert told.picture_psnr_db == row.picture_psnr_db
        assert row.shares["try_on"].multiplications[row.precision] > 0.9


def test_weights_are_in_the_file_once(fused: Bundle) -> None:
    files = fused.manifest.files

    def size(folder: str) -> int:
        return sum(record.bytes for name, record in files.items() if name.startswith(f"{folder}/"))

    assert size("onnx-fp32-fused") < 1.1 * size("onnx-fp32")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_weights_five_per_cent_off_do_not_pass(precision: str, fused: Bundle, tmp_path: Path) -> None:
    root = shutil.copytree(fused.root, tmp_path / "tampered")
    path = root / f"onnx-{precision}-fused/model.onnx"
    model = onnx.load(path)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    (body,) = (attribute.g for attribute in loop.attribute if attribute.name == "body")
    for tensor in body.initializer:
        if len(tensor.dims) > 1:
            weight = numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array((weight * 1.05).astype(weight.dtype), tensor.name))
    path.with_name("model.onnx.data").unlink()
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data")
    write_manifest(root, fused.manifest.model_copy(update={"files": record_files(root)}))
    report = verify(Bundle.open(root), artifacts=[f"onnx-{precision}-fused"], write=False)
    assert report.exit_code == 1
    assert report.artifacts[0].failures


def test_an_fp32_graph_claimed_as_fp16_is_caught(fused: Bundle, tmp_path: Path) -> None:
    root = shutil.copytree(fused.root, tmp_path / "claimed")
    shutil.copytree(root / "onnx-fp32-fused", root / "onnx-fp16-fused", dirs_exist_ok=True)
    write_manifest(root, fused.manifest.model_copy(update={"files": record_files(root)}))
    (row,) = verify(Bundle.open(root), artifacts=["onnx-fp16-fused"], write=False).artifacts
    assert "try_on is fp32 inside, not fp16" in row.failures


def test_garment_tokens_are_worked_on_before_the_loop(tmp_path: Path) -> None:
    networks = random_networks(preset("tiny-clip"))
    random = np.random.default_rng(0)
    size = (networks.config.height, networks.config.width)
    person, garment, pose = (random.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(3))
    shown = random.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    mask = np.zeros(size, np.float32)
    mask[16:48, 12:36] = 1
    inputs = TryOnInputs.compose(person, mask, garment, mask, pose, shown)
    bundle = export_bundle(networks, inputs, tmp_path / "clip", precisions=("fp32",), steps=2, fused=True)
    assert bundle.manifest.fused["onnx-fp32-fused"].picture_psnr_db is not None
    model = onnx.load(bundle.path("onnx-fp32-fused/model.onnx"), load_external_data=False)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    before = [node.name for node in model.graph.node if node.name.startswith("unet/") and node.op_type == "MatMul"]
    inside = {node.name for node in loop.attribute[0].g.node}
    assert before
    assert not inside.intersection(before)


def test_a_model_that_samples_at_random_or_decodes_in_tiles_is_refused(tmp_path: Path) -> None:
    stochastic = replace(preset("tiny"), default_sampler="lcm")
    with pytest.raises(UserError, match="samples by lcm, a fused graph by ddim"):
        plan_export(stochastic, tmp_path / "out", fused=True)
    tiled = replace(preset("litemp-vton"), decoder_tile=(32, 24))
    with pytest.raises(UserError, match="decodes in tiles"):
        plan_export(tiled, tmp_path / "out", fused=True)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"sampler": "lcm"}, "samples by ddim, not lcm"),
        ({"steps": 0}, "cannot sample in 0 steps"),
        ({"steps": 601}, "choose from 1 to 600"),
        ({"detail": False}, "carries detail over"),
    ],
)
def test_what_the_graph_does_not_do_is_refused(
    choices: dict[str, object], said: str, fused: Bundle, inputs: TryOnInputs
) -> None:
    with TryOn(fused, fused=True) as model, pytest.raises(UserError, match=said):
        model(inputs, **choices)  # type: ignore[arg-type]


def test_arrays_of_another_size_are_refused_in_one_line(fused: Bundle, inputs: TryOnInputs) -> None:
    runtime = OnnxRuntime(fused, "fp32", fused=True)
    narrow = replace(inputs, person=inputs.person[..., :-1])
    with pytest.raises(UserError, match=r"try_on takes person as float32 \(1, 3, 64, 48\)") as caught:
        try_on_fused(runtime, narrow, fused.manifest.fused["onnx-fp32-fused"], steps=2)
    assert "\n" not in str(caught.value)


def test_a_bundle_without_a_fused_graph_says_how_to_make_it(exported: Bundle) -> None:
    with pytest.raises(UserError, match="--fused --overwrite"):
        TryOn(exported, fused=True)


def test_fixed_steps_are_the_same_graph_with_constants(
    fused: Bundle, inputs: TryOnInputs, networks: Networks, tmp_path: Path
) -> None:
    """What TensorRT is given: no float64, no steps among the inputs."""
    files = {name: fused.path(one.model) for name, one in fused.manifest.artifacts["onnx-fp32"].components.items()}
    model = fuse_onnx(files, networks.config, networks.latent_scale, steps=3)
    assert "steps" not in {value.name for value in model.graph.input}
    assert onnx.TensorProto.DOUBLE not in {tensor.data_type for tensor in model.graph.initializer}
    onnx.save(model, tmp_path / "model.onnx")
    import onnxruntime

    from lite_vton_runtimes.sampling.noise import gaussian

    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    feeds = {name: getattr(inputs, name) for name in ("person", "mask", "masked_person", "pose")}
    feeds["noise"] = gaussian(7)(networks.config.latent_shape)
    (picture,) = session.run(["picture"], feeds)
    with TryOn(fused) as parts:
        assert picture_psnr(picture, parts(inputs, steps=3, seed=7).picture) > 70
