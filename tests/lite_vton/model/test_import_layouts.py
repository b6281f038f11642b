"""Checkpoints in the folders, files and caches that people have them in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from lite_vton.errors import UserError
from lite_vton.model.autoencoder_kl import KLAutoencoder
from lite_vton.model.importing.networks import import_networks, import_weights
from lite_vton.model.networks import Networks, load_networks
from lite_vton.presets.autoencoders import autoencoder_kind
from lite_vton.presets.config import AutoencoderKLConfig
from lite_vton.presets.table import preset
from tests.lite_vton.model.their_checkpoints import (
    PLAIN,
    TOKENS,
    catvton,
    distance,
    original,
    original_unet_name,
    pipeline,
    taesd,
    their_autoencoder,
    their_unet,
    vae_file,
    without_cross_attention,
    write,
)

pytestmark = pytest.mark.slow


def has_their_autoencoder(networks: Networks) -> bool:
    ours = networks.autoencoder.state_dict()
    return all(torch.equal(ours[name], tensor) for name, tensor in their_autoencoder().state_dict().items())


# Autoencoders


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_an_autoencoder_in_one_file_is_read(suffix: str, prefix: str, tmp_path: Path) -> None:
    source = write(original(their_unet(4)), tmp_path / "model.safetensors")
    file = vae_file(tmp_path / f"vae-ft-mse-840000-ema-pruned.{suffix}", prefix)
    networks = import_networks(source, PLAIN, autoencoder=file).networks
    assert has_their_autoencoder(networks)
    assert networks.latent_scale == 0.18215


def test_an_autoencoders_moving_average_is_what_is_taken(tmp_path: Path) -> None:
    source = write(original(their_unet(4)), tmp_path / "model.safetensors")
    file = vae_file(tmp_path / "vae.ckpt", "", averaged=True)
    assert has_their_autoencoder(import_networks(source, PLAIN, autoencoder=file).networks)


def test_the_file_of_a_diffusers_folder_brings_the_scale_beside_it(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    file = source / "vae/diffusion_pytorch_model.safetensors"
    networks = import_networks(source, PLAIN, autoencoder=file).networks
    assert has_their_autoencoder(networks)
    assert networks.latent_scale == 0.25


def test_what_only_its_training_needed_is_passed_over(tmp_path: Path) -> None:
    weights = original(their_unet(4))
    more = {
        "first_stage_model.loss.logvar": torch.zeros(()),
        "first_stage_model.loss.discriminator.main.0.weight": torch.ones(2),
    }
    source = write(weights | more, tmp_path / "model.ckpt")
    assert has_their_autoencoder(import_networks(source, PLAIN).networks)


@pytest.mark.parametrize("form", ["folder", "files", "file", "safetensors"])
def test_taesd_answers_as_before(form: str, tmp_path: Path) -> None:
    theirs = taesd(tmp_path / "taesd", form)
    source = write(original(their_unet(4)), tmp_path / "model.safetensors")
    given = tmp_path / "taesd" / ("taesd_encoder.pth" if form == "file" else ".")
    found = import_weights(source, preset("tiny-kl"), autoencoder=given)
    assert autoencoder_kind(found.config) == "taesd"
    found.write(tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors")
    networks = load_networks(found.config, tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors")
    picture = torch.rand(1, 3, 64, 48) * 2 - 1
    with torch.no_grad():
        latent = theirs.encode(picture).latents
        ours = networks.autoencoder.encode(picture)
        assert torch.allclose(ours * networks.latent_scale, latent, atol=1e-6)
        assert torch.allclose(networks.autoencoder.decode(ours), theirs.decode(latent).sample, atol=1e-5)


def test_taesd_of_another_latent_space_is_refused(tmp_path: Path) -> None:
    taesd(tmp_path / "taesdxl", "files")
    source = write(original(their_unet(4)), tmp_path / "model.safetensors")
    with pytest.raises(UserError, match="another latent space"):
        import_networks(source, preset("tiny-kl"), autoencoder=tmp_path / "taesdxl")


# U-Nets alone


@pytest.mark.parametrize("prefix", ["", "unet.", "module."])
@pytest.mark.parametrize("style", ["original", "diffusers"])
def test_a_unet_alone_is_read_whatever_it_is_called(prefix: str, style: str, tmp_path: Path) -> None:
    theirs = their_unet(4)
    their_autoencoder().save_pretrained(tmp_path / "vae")
    rename = original_unet_name if style == "original" else str
    weights = {prefix + rename(name): weight for name, weight in theirs.state_dict().items()}
    torch.save({"model": weights}, tmp_path / "unet.pth")
    ours = import_networks(tmp_path / "unet.pth", PLAIN, autoencoder=tmp_path / "vae").networks.unet
    assert distance(without_cross_attention(theirs), ours, "stable-diffusion", None) < 1e-5


def test_a_units_own_folder_is_read(tmp_path: Path) -> None:
    theirs = their_unet(4)
    source = pipeline(tmp_path / "source", theirs)
    ours = import_networks(source / "unet", PLAIN, autoencoder=source).networks.unet
    assert distance(without_cross_attention(theirs), ours, "stable-diffusion", None) < 1e-5


# Hugging Face's cache


def linked(folder: Path, cache: Path, name: str) -> Path:
    """A folder as the hub's client keeps it: each file a link to a blob."""
    model = cache / f"models--{name.replace('/', '--')}"
    (model / "blobs").mkdir(parents=True)
    snapshot = model / "snapshots/0123abc"
    for number, file in enumerate(sorted(each for each in folder.rglob("*") if each.is_file())):
        blob = model / "blobs" / f"blob{number}"
        file.rename(blob)
        link = snapshot / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    return model


def test_every_part_may_lie_in_the_hubs_cache(tmp_path: Path) -> None:
    base = their_unet(9)
    theirs = catvton(base, tmp_path / "catvton/vitonhd-16k-512/attention")
    cache = tmp_path / "hub"
    source = linked(pipeline(tmp_path / "source", base), cache, "owner/inpainting")
    attention = linked(tmp_path / "catvton", cache, "zhengchong/CatVTON")
    their_autoencoder().save_pretrained(tmp_path / "vae")
    vae = linked(tmp_path / "vae", cache, "stabilityai/sd-vae-ft-mse")
    networks = import_networks(source, PLAIN, layout="inpainting", attention=attention, autoencoder=vae).networks
    assert distance(theirs, networks.unet, "tall", None) < 1e-5
    assert networks.latent_scale == 0.25


# CatVTON


@pytest.mark.parametrize(
    "given", [".", "vitonhd-16k-64", "vitonhd-16k-64/attention", "vitonhd-16k-64/attention/model.safetensors"]
)
def test_catvtons_repository_or_any_part_of_it_is_read(given: str, tmp_path: Path) -> None:
    base = their_unet(9)
    theirs = catvton(base, tmp_path / "CatVTON/vitonhd-16k-64/attention")
    for other in ("mix-48k-128", "dresscode-16k-64"):
        folder = tmp_path / "CatVTON" / other / "attention"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"another")
    source = pipeline(tmp_path / "source", base)
    imported = import_networks(
        source, PLAIN, layout="inpainting", attention=tmp_path / "CatVTON" / given.format("model.safetensors")
    )
    assert distance(theirs, imported.networks.unet, "tall", None) < 1e-5
    assert any("vitonhd-16k-64" in note or "model.safetensors" in note for note in imported.notes)


# StableVITON


def test_thirteen_channels_are_asked_for_and_stablevitons_order_is_known(tmp_path: Path) -> None:
    theirs = their_unet(13)
    source = pipeline(tmp_path / "source", theirs)
    with pytest.raises(UserError, match=r"pass --layout stableviton or --layout lite-vton"):
        import_networks(source, PLAIN)
    ours = import_networks(source, PLAIN, layout="lite-vton").networks.unet
    assert distance(without_cross_attention(theirs), ours, "lite-vton", None) < 1e-5
    imported = import_networks(source, PLAIN, layout="stableviton")
    assert distance(without_cross_attention(theirs), imported.networks.unet, "stableviton", None) < 1e-5
    assert any("DensePose" in note for note in imported.notes)


def test_stablevitons_own_checkpoint_says_its_order_and_what_is_left_out(tmp_path: Path) -> None:
    theirs = their_unet(13)
    added = {
        "control_model.input_blocks.0.0.weight": torch.ones(16, 13, 3, 3),
        "model.diffusion_model.warp_flow_blks.0.norm.weight": torch.ones(3),
        "model.diffusion_model.warp_zero_convs.0.weight": torch.ones(3),
        "learnable_vector": TOKENS[:1, :1].clone(),
    }
    imported = import_networks(write(original(theirs) | added, tmp_path / "VITONHD.ckpt"), PLAIN)
    token = TOKENS[:1, :1].expand(2, -1, -1)
    assert distance(theirs, imported.networks.unet, "stableviton", token) < 1e-5
    assert any("StableVITON: left out" in note for note in imported.notes)


# Memory and what is written


def test_what_is_written_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    found = import_weights(pipeline(tmp_path / "source", their_unet(4).half()), PLAIN)
    for name in ("a", "b"):
        found.write(tmp_path / name / "autoencoder.safetensors", tmp_path / name / "unet.safetensors")
    for file in ("autoencoder.safetensors", "unet.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert {weight.dtype for weight in load_file(tmp_path / "a/unet.safetensors").values()} == {torch.float32}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("part", ["unet", "vae"])
def test_weights_that_are_no_numbers_are_refused(part: str, value: float, tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    file = source / part / "diffusion_pytorch_model.safetensors"
    name = "conv_out.bias" if part == "unet" else "decoder.conv_out.bias"
    weights = {key: weight.clone() for key, weight in load_file(file).items()}
    weights[name] = weights[name].double()
    weights[name][0] = value
    save_file(weights, file)
    with pytest.raises(UserError, match=f"NaN or infinity in {name}"):
        import_weights(source, PLAIN).write(tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors")
    with pytest.raises(UserError, match=name):
        import_networks(source, PLAIN)


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn, torch.complex64, torch.bool, torch.int64])
def test_weights_in_another_form_than_floats_are_refused(kind: torch.dtype, tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    file = source / "unet/diffusion_pytorch_model.safetensors"
    weights = {
        name: weight.to(kind) if name == "conv_out.weight" else weight for name, weight in load_file(file).items()
    }
    file.unlink()
    torch.save(weights, file.with_suffix(".bin"))
    with pytest.raises(UserError, match=r"conv_out\.weight as "):
        import_networks(source, PLAIN)


@pytest.mark.parametrize("scale", [0, -1, "Infinity", "NaN", "true", '"0.18215"', 1e9, "[0.18]"])
def test_a_latent_scale_that_cannot_be_is_refused(scale: object, tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    file = source / "vae/config.json"
    text = file.read_text(encoding="utf-8").replace('"scaling_factor": 0.25', f'"scaling_factor": {scale}')
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="scaling_factor"):
        import_networks(source, PLAIN)


# Noise


@pytest.mark.parametrize(
    "settings",
    [
        {"rescale_betas_zero_snr": True},
        {"prediction_type": "v_prediction"},
        {"prediction_type": "sample"},
        {"trained_betas": [0.1, 0.2]},
        {"beta_schedule": "linear"},
        {"beta_end": 0.02},
        {"beta_end": float("nan")},
        {"num_train_timesteps": 100},
        {"timestep_spacing": "random"},
        {"steps_offset": 5},
        {"_class_name": "FlowMatchEulerDiscreteScheduler"},
        {"_class_name": "EDMEulerScheduler"},
        {"thresholding": True},
    ],
)
def test_other_noise_than_stable_diffusions_is_refused(settings: dict[str, object], tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    (source / "scheduler").mkdir()
    (source / "scheduler/scheduler_config.json").write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(UserError, match=r"scheduler_config\.json") as caught:
        import_networks(source, PLAIN)
    assert "\n" not in str(caught.value)


def test_how_its_authors_sample_is_of_no_matter(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    (source / "scheduler").mkdir()
    said = {
        "_class_name": "PNDMScheduler",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "num_train_timesteps": 1000,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "timestep_spacing": "trailing",
        "rescale_betas_zero_snr": False,
    }
    (source / "scheduler/scheduler_config.json").write_text(json.dumps(said), encoding="utf-8")
    assert import_networks(source, PLAIN)


# Other kinds


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["double_blocks.0.img_attn.qkv.weight"], "diffusion transformer"),
        (["x_embedder.weight", "transformer_blocks.0.attn.to_q.weight"], "diffusion transformer"),
        (["0.to_q.weight", "0.to_k.weight"], "as --attention"),
        (["lora_unet_down_blocks_0.lora_down.weight"], "LoRA"),
        (["encoder.conv_in.weight", "decoder.conv_in.weight"], "give it with --autoencoder"),
        (["backbone.layers.0.weight"], "this network is another kind"),
    ],
)
def test_another_kind_of_network_is_called_so_and_no_preset_advised(
    names: list[str], said: str, tmp_path: Path
) -> None:
    file = write({name: torch.ones(1) for name in names}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=said) as caught:
        import_networks(file, PLAIN)
    assert "choose another preset" not in str(caught.value)


@pytest.mark.parametrize("width", [1024, 2048])
def test_other_stable_diffusions_are_another_kind(width: int, tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    file = source / "unet/config.json"
    settings = json.loads(file.read_text(encoding="utf-8")) | {
        "cross_attention_dim": width,
        "attention_head_dim": [5, 10],
    }
    file.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(UserError, match="this network is another kind"):
        import_networks(source, PLAIN)


def test_channels_that_nobody_knows_are_another_kind(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "ladi", their_unet(31))
    with pytest.raises(UserError, match="takes 31 channels, known are 4, 9, 13: it is another kind"):
        import_networks(source, PLAIN)


@pytest.mark.parametrize("form", ["folder", "file"])
def test_a_students_preset_says_to_import_as_its_teacher(form: str, tmp_path: Path) -> None:
    from dataclasses import replace

    from lite_vton.model.unet import build_unet

    teacher = preset("teacher")
    with torch.device("meta"):
        alone = build_unet(replace(teacher, unet=replace(teacher.unet, conditions=("noisy_latent",))))
    source = tmp_path / "source"
    if form == "folder":
        (source / "unet").mkdir(parents=True)
        alone.save_config(source / "unet")
    else:
        source = tmp_path / "model.ckpt"
        weights = {name: torch.zeros(1).expand(weight.shape) for name, weight in alone.state_dict().items()}
        torch.save(weights, source)
    for student in ("litemp-vton", "litemp-vton-paper"):
        with pytest.raises(UserError, match=rf"import as teacher, then distill \(`?lite-vton distill {student} "):
            import_networks(source, preset(student))


def test_the_preset_that_fits_is_named(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    with pytest.raises(UserError, match=r"choose another preset or source \(it is built as tiny-clip and tiny-kl\)"):
        import_networks(source, preset("teacher"))


def test_their_small_autoencoder_is_of_the_tiny_presets_shape() -> None:
    shape = preset("tiny-kl").autoencoder
    assert isinstance(shape, AutoencoderKLConfig)
    assert KLAutoencoder(shape).state_dict().keys() == their_autoencoder().state_dict().keys()
    assert isinstance(AutoencoderTiny(), torch.nn.Module)
