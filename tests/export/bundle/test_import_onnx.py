"""Somebody's ONNX files in Optimum's layout become a bundle that answers as they did, or are refused in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from lite_vton import load
from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.workflows.export import figures_of
from lite_vton_export.bundle.export import export_bundle, extend_bundle
from lite_vton_export.bundle.import_onnx import REFERENCE, config_of_folder, import_onnx
from lite_vton_export.parity.closeness import closeness
from lite_vton_export.parity.golden import load_trajectory
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow

PYTHON = Path(__file__).parents[3] / ".venv-optimum/bin/python"
TINY = preset("tiny")


def dynamic(value: onnx.ValueInfoProto, axes: tuple[int, ...] = (0, 2, 3)) -> None:
    for axis in axes:
        value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"


def as_optimum_has_it(folder: Path) -> None:
    """Shapes that vary, a timestep that is a float without an axis, tokens that nothing reads, and a mean alone."""
    for name in ("unet", "vae_encoder", "vae_decoder"):
        path = folder / name / "model.onnx"
        model = onnx.load(path)
        del model.metadata_props[:]
        if name == "unet":
            for node in model.graph.node:
                for index, given in enumerate(node.input):
                    if given == "timestep":
                        node.input[index] = "timestep_1d"
            nodes = [
                helper.make_node("Cast", ["timestep"], ["timestep_int"], to=TensorProto.INT64),
                helper.make_node("Reshape", ["timestep_int", "one"], ["timestep_1d"]),
            ]
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "one"))
            for node in reversed(nodes):
                model.graph.node.insert(0, node)
            (timestep,) = (value for value in model.graph.input if value.name == "timestep")
            timestep.CopyFrom(helper.make_tensor_value_info("timestep", TensorProto.FLOAT, []))
            model.graph.input.append(
                helper.make_tensor_value_info("encoder_hidden_states", TensorProto.FLOAT, ["b", "s", 8])
            )
        if name == "vae_encoder":
            ends = {"begin": [0], "end": [4], "axis": [1]}
            model.graph.initializer.extend(
                onnx.numpy_helper.from_array(np.array(value, np.int64), key) for key, value in ends.items()
            )
            model.graph.node.append(helper.make_node("Slice", ["latent_parameters", *ends], ["latent_sample"]))
            model.graph.output[0].CopyFrom(
                helper.make_tensor_value_info("latent_sample", TensorProto.FLOAT, [1, 4, 8, 6])
            )
        for value in (*model.graph.input, *model.graph.output):
            if len(value.type.tensor_type.shape.dim) == 4:
                dynamic(value)
        onnx.save(model, path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    """Of encoders that take one picture, as Optimum's pipelines use them."""
    single = replace(networks, config=replace(networks.config, encoder_batch=1))
    target = tmp_path_factory.mktemp("single") / "tiny"
    return export_bundle(single, inputs, target, steps=2, seed=7)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, exported: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("theirs") / "theirs"
    shutil.copytree(exported.path("onnx-fp32"), folder)
    as_optimum_has_it(folder)
    return folder


@pytest.fixture
def theirs(tmp_path: Path, pristine: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "theirs"))


def test_a_folder_becomes_a_bundle_that_answers_as_its_files_did(
    tmp_path: Path, theirs: Path, exported: Bundle, inputs: TryOnInputs
) -> None:
    bundle = import_onnx(theirs, TINY, inputs, tmp_path / "bundle", steps=2)
    manifest = Bundle.open(bundle.root).manifest
    assert (manifest.golden_reference, manifest.weights) == (REFERENCE, None)
    assert manifest.source.checkpoint == "ONNX files of theirs"
    (told,) = figures_of(bundle)
    assert told.startswith("reference  onnx-fp32: ")
    assert manifest.latent_scale == 0.5
    assert (manifest.model.name, manifest.model.unet.residual_deviation) == ("theirs", None)
    assert verify(bundle, write=False).exit_code == 0
    runtime = load(bundle, "onnxruntime", "fp32")
    for call in load_trajectory(exported.path("golden/trajectory.npz")).calls:
        (found,) = runtime.components[call.component](call.inputs).values()
        (wanted,) = call.outputs.values()
        assert closeness(found, wanted).psnr_db > 100
    with pytest.raises(UserError, match="missing"):
        load(bundle, "torch")


def test_more_precisions_are_made_of_the_files_themselves(tmp_path: Path, theirs: Path, inputs: TryOnInputs) -> None:
    bundle = import_onnx(theirs, TINY, inputs, tmp_path / "bundle", steps=1)
    more = extend_bundle(bundle, tmp_path / "more", ("onnx", "openvino"), ("fp32",))
    more = extend_bundle(more, more.root, ("onnx",), ("fp16", "w8"), overwrite=True)
    assert set(more.manifest.artifacts) == {"onnx-fp32", "openvino-fp32", "onnx-fp16", "onnx-w8"}
    assert verify(more, write=False).exit_code == 0
    assert more.manifest.kept_in_float32["unet"].nodes == {}
    assert not any("not run" in line for line in figures_of(more))
    assert more.path("onnx-fp16/scheduler/scheduler_config.json").is_file()
    with pytest.raises(UserError, match="coreai-fp32 is made from weights, and the bundle has none"):
        extend_bundle(more, tmp_path / "most", ("coreai",), ("fp32",))
    with pytest.raises(UserError, match="onnx-int8 is calibrated with weights"):
        extend_bundle(more, tmp_path / "most", ("onnx",), ("int8",))


def rewritten(part: str, change: Callable[[onnx.ModelProto], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        path = folder / part / "model.onnx"
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)

    return damage


def nine_channels(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 9


def reads_tokens(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Identity", ["encoder_hidden_states"], ["read"]))


def draws(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("RandomNormalLike", [model.graph.input[0].name], ["drawn"]))


def renamed(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        for index, name in enumerate(node.output):
            if name == "out_sample":
                node.output[index] = "noise_pred"
    model.graph.output[0].name = "noise_pred"


def in_half(folder: Path, exported: Bundle) -> None:
    shutil.copy(exported.path("onnx-fp16/unet/model.onnx"), folder / "unet/model.onnx")


def said(part: str, **values: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / part
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "inpainting": (rewritten("unet", nine_channels), "takes sample as anyx9xanyxany, a try-on 1x13x8x6"),
    "cross-attention": (rewritten("unet", reads_tokens), "reads encoder_hidden_states"),
    "a transformer": (lambda folder: (folder / "transformer").mkdir(), "has a transformer"),
    "zero terminal noise": (said("scheduler/scheduler_config.json", rescale_betas_zero_snr=True), "has other noise"),
    "random numbers": (rewritten("vae_encoder", draws), "draws random numbers"),
    "another output": (rewritten("unet", renamed), "no out_sample"),
    "a missing part": (lambda folder: shutil.rmtree(folder / "vae_decoder"), "no vae_decoder/model.onnx"),
    "other latents": (said("vae_encoder/config.json", latent_channels=8), "latents of 8 channels, tiny of 4"),
    "other noise": (said("scheduler/scheduler_config.json", beta_end=0.02), "has other noise"),
    "v-prediction": (said("scheduler/scheduler_config.json", prediction_type="v_prediction"), "has other noise"),
    "no ONNX": (lambda folder: (folder / "unet/model.onnx").write_bytes(b"\xff" * 99), "not a readable ONNX file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    kind: str, tmp_path: Path, theirs: Path, inputs: TryOnInputs
) -> None:
    damage, why = REFUSED[kind]
    damage(theirs)
    with pytest.raises(UserError, match=why) as error:
        import_onnx(theirs, TINY, inputs, tmp_path / "bundle", steps=1)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_half_precision_is_refused(tmp_path: Path, theirs: Path, exported: Bundle, inputs: TryOnInputs) -> None:
    in_half(theirs, exported)
    with pytest.raises(UserError, match="is in fp16: export it in float32"):
        import_onnx(theirs, TINY, inputs, tmp_path / "bundle", steps=1)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
KEYS = ("block_out_channels", "layers_per_block", "down_block_types", "scaling_factor", "beta_end", "mid_block_type")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part=st.sampled_from(["unet/config.json", "vae_encoder/config.json", "scheduler/scheduler_config.json"]),
    content=st.dictionaries(st.sampled_from(KEYS), ANYTHING, max_size=4) | ANYTHING,
)
def test_settings_are_somebody_elses_words(theirs: Path, part: str, content: object) -> None:
    kept = (theirs / part).read_bytes()
    try:
        (theirs / part).write_text(json.dumps(content))
        config, scale = config_of_folder(theirs, preset("tiny-kl"))
        assert scale > 0
        assert all(width > 0 for width in config.unet.channels)
    except UserError:
        pass
    finally:
        (theirs / part).write_bytes(kept)


@pytest.mark.skipif(not PYTHON.exists(), reason="needs Optimum's environment: ./justw optimum")
def test_what_optimums_own_exporter_wrote_becomes_a_bundle(tmp_path: Path, inputs: TryOnInputs) -> None:
    script = Path(__file__).with_name("exporting_with_optimum.py")
    exporting = subprocess.run(
        [PYTHON, script, tmp_path / "theirs", tmp_path / "answers.npz"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert exporting.returncode == 0, exporting.stderr
    bundle = import_onnx(tmp_path / "theirs", preset("tiny-kl"), inputs, tmp_path / "bundle", steps=2)
    assert bundle.manifest.latent_scale == 0.2
    assert bundle.manifest.model.unet.attention == (False, True)
    runtime = load(bundle, "onnxruntime", "fp32")
    with np.load(tmp_path / "answers.npz") as torch_answered:
        calls = {
            "unet.out_sample": {"sample": torch_answered["sample"], "timestep": np.array([300])},
            "vae_encoder.latent_parameters": {"sample": torch_answered["picture"]},
            "vae_decoder.sample": {"latent_sample": torch_answered["latent"]},
        }
        for key, given in calls.items():
            component, _, tensor = key.partition(".")
            found = runtime.components[component](given)[tensor]
            assert closeness(found, torch_answered[key]).psnr_db > 100, key


def test_a_text_encoder_beside_a_unet_that_reads_no_token_is_of_no_matter(theirs: Path) -> None:
    for part in ("text_encoder", "tokenizer"):
        (theirs / part).mkdir()
    assert config_of_folder(theirs, TINY)


def test_a_folder_of_links_in_the_hubs_cache_is_read_as_files(theirs: Path, tmp_path: Path) -> None:
    from lite_vton.libraries.hub_cache import checkpoint_at, linkless

    model = tmp_path / "models--owner--tryon-onnx"
    (model / "blobs").mkdir(parents=True)
    (tmp_path / "secret.json").write_text("{}", encoding="utf-8")
    snapshot = model / "snapshots/0123abc"
    for number, file in enumerate(sorted(each for each in theirs.rglob("*") if each.is_file())):
        link = snapshot / file.relative_to(theirs)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.rename(model / "blobs" / f"blob{number}"))
    (snapshot / "unet/secret.json").symlink_to(tmp_path / "secret.json")
    with linkless(checkpoint_at(model)) as folder:
        assert folder.name == "tryon-onnx"
        assert not any(file.is_symlink() for file in folder.rglob("*"))
        assert not (folder / "unet/secret.json").exists()
        assert config_of_folder(folder, TINY)[0].name == "tryon-onnx"
    with linkless(theirs) as folder:
        assert folder == theirs
