"""Networks keep the contract of their preset, and their weights survive the disk."""

from __future__ import annotations

import os
import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from safetensors.torch import load_file, save_file

from lite_vton.errors import UserError
from lite_vton.model.components import COMPONENTS, components_of
from lite_vton.model.networks import (
    build_networks,
    check_saved,
    image_encoder_file,
    load_autoencoder,
    load_networks,
    random_networks,
    save_networks,
    shipped_networks,
    weight_files,
)
from lite_vton.model.weights_metadata import metadata_of
from lite_vton.presets.conditioning import Conditioning
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import PRESETS, preset

pytestmark = pytest.mark.slow

TINY = preset("tiny")


CLIP = preset("tiny-clip")


def latents_of(config: ModelConfig, channels: int) -> ModelConfig:
    return replace(config, autoencoder=replace(config.autoencoder, latent_channels=channels))


@pytest.mark.parametrize("channels", [4, 8])
@pytest.mark.parametrize("name", PRESETS)
def test_every_component_gives_the_shapes_it_declares(name: str, channels: int) -> None:
    config = latents_of(PRESETS[name], channels)
    assert config.unet_in_channels == 3 * channels + 1
    with torch.device("meta"), torch.no_grad():
        networks = build_networks(config)
        for spec in components_of(config).values():
            inputs = [torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype)) for tensor in spec.inputs(config)]
            output = spec.wrap(networks)(*inputs)
            assert output.shape == spec.outputs(config)[0].shape


@pytest.mark.parametrize("name", PRESETS)
def test_tokens_are_as_wide_as_the_cross_attention(name: str) -> None:
    config = PRESETS[name]
    assert config.unet.cross_attention == (None if config.image_encoder is None else config.image_encoder.width)


@pytest.mark.parametrize("name", PRESETS)
def test_a_teacher_has_its_students_latents_and_noise(name: str) -> None:
    config = PRESETS[name]
    if config.teacher is not None:
        teacher = preset(config.teacher)
        assert (teacher.autoencoder, teacher.schedule) == (config.autoencoder, config.schedule)


@pytest.mark.parametrize("name", ["tiny", "tiny-clip"])
def test_saved_networks_answer_as_before(name: str, tmp_path: Path) -> None:
    networks = random_networks(PRESETS[name], seed=1)
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(networks, *paths)
    assert image_encoder_file(paths[1]).is_file() == (networks.image_encoder is not None)
    loaded = load_networks(networks.config, *paths)
    assert loaded.latent_scale == networks.latent_scale
    generator = torch.Generator().manual_seed(0)
    for spec in components_of(networks.config).values():
        tensors = [(t.shape, getattr(torch, t.dtype)) for t in spec.inputs(networks.config)]
        inputs = [torch.randn(shape, generator=generator).to(dtype) for shape, dtype in tensors]
        with torch.no_grad():
            assert torch.equal(spec.wrap(loaded)(*inputs), spec.wrap(networks)(*inputs))


@pytest.mark.parametrize("name", ["tiny", "tiny-clip"])
@pytest.mark.parametrize(("found", "wanted"), [(4, 8), (8, 4)])
def test_weights_of_other_latents_are_refused_with_both_numbers(
    name: str, found: int, wanted: int, tmp_path: Path
) -> None:
    files = {}
    for channels in (found, wanted):
        files[channels] = tmp_path / f"{channels}/autoencoder.safetensors", tmp_path / f"{channels}/unet.safetensors"
        save_networks(random_networks(latents_of(PRESETS[name], channels)), *files[channels])
    (other, other_unet), (own, _) = files[found], files[wanted]
    config = latents_of(PRESETS[name], wanted)
    for autoencoder, unet, refused in ((other, other_unet, other), (own, other_unet, other_unet)):
        said = f"{re.escape(str(refused))} has weights for latents of {found} channels, the preset's have {wanted}: "
        with pytest.raises(UserError, match=said) as error:
            load_networks(config, autoencoder, unet)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=f"latents of {found} channels, the preset's have {wanted}"):
        load_autoencoder(config, other)


def test_files_hold_what_was_written_in_half_too_where_that_loses_nothing(tmp_path: Path) -> None:
    networks = random_networks(CLIP, seed=1)
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(networks, *paths)
    check_saved(networks, *paths)
    save_networks(networks, *paths, dtype=torch.float16)
    with pytest.raises(UserError, match=r"autoencoder.safetensors holds another .* than was written"):
        check_saved(networks, *paths)
    for module in weight_files(networks, *paths).values():
        module.half().float()
    check_saved(networks, *paths)


def test_one_changed_weight_is_found_and_a_nan_that_was_saved_is_not_one(tmp_path: Path) -> None:
    networks = random_networks(TINY, seed=1)
    weight = next(networks.unet.parameters()).data.view(-1)
    weight[1] = float("nan")
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(networks, *paths)
    check_saved(networks, *paths)
    weight[0] = torch.nextafter(weight[0], torch.tensor(9.0))
    with pytest.raises(UserError, match=r"unet.safetensors holds another .* than was written"):
        check_saved(networks, *paths)


def test_equal_weights_are_equal_bytes_of_the_usual_mode(tmp_path: Path) -> None:
    config = replace(Conditioning(mask="plain", pose=False).applied_to(TINY), default_steps=7)
    written = set()
    before = os.umask(0o022)
    try:
        for copy in range(6):
            paths = tmp_path / f"{copy}/autoencoder.safetensors", tmp_path / f"{copy}/unet.safetensors"
            save_networks(random_networks(config), *paths)
            written.add(tuple(path.read_bytes() for path in paths))
            assert {path.stat().st_mode & 0o777 for path in paths} == {0o644}
    finally:
        os.umask(before)
    assert len(written) == 1
    assert metadata_of(paths[1]) == {
        "preset": "tiny",
        "latent_scale": "1.0",
        "mask": "plain",
        "pose": "off",
        "default_steps": "7",
    }


def test_a_full_disk_leaves_the_weights_that_were_there(tmp_path: Path) -> None:
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(random_networks(TINY), *paths)
    before, limits = [path.read_bytes() for path in paths], resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*autoencoder.safetensors .*free some space"):
            save_networks(random_networks(TINY, seed=1), *paths)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.read_bytes() for path in paths] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["autoencoder.safetensors", "unet.safetensors"]


def test_the_kl_autoencoder_is_diffusers_with_its_mean() -> None:
    from diffusers import AutoencoderKL

    theirs = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
    ).eval()
    ours = random_networks(CLIP).autoencoder
    ours.load_state_dict(theirs.state_dict())
    picture = torch.rand(1, 3, CLIP.height, CLIP.width) * 2 - 1
    with torch.no_grad():
        mode = theirs.encode(picture).latent_dist.mode()
        assert torch.equal(ours.encode(picture), mode)
        assert torch.equal(ours.decode(mode), theirs.decode(mode).sample)
    assert random_networks(CLIP).latent_scale == 0.18215


def test_no_cross_attention_is_left() -> None:
    blocks = [m for m in random_networks(preset("demo")).unet.modules() if isinstance(m, BasicTransformerBlock)]
    assert blocks
    assert all(block.attn2 is None for block in blocks)


def test_encoder_moments_are_the_latent_without_variance() -> None:
    networks = random_networks(TINY)
    picture = torch.rand(1, 3, TINY.height, TINY.width) * 2 - 1
    with torch.no_grad():
        mean, log_variance = COMPONENTS["vae_encoder"].wrap(networks)(picture).chunk(2, dim=1)
        assert torch.equal(mean, networks.autoencoder.encode(picture))
    assert (log_variance == -30).all()


def test_same_seed_gives_same_weights_and_leaves_the_caller_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    first, second = random_networks(TINY, seed=3), random_networks(TINY, seed=3)
    assert torch.equal(torch.rand(1), expected)
    for a, b in zip(first.unet.parameters(), second.unet.parameters(), strict=True):
        assert torch.equal(a, b)


def test_weights_come_back_as_saved(tmp_path: Path) -> None:
    networks = random_networks(TINY, seed=1)
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(networks, *paths)
    loaded = load_networks(TINY, *paths)
    assert loaded.latent_scale == networks.latent_scale
    for a, b in zip(networks.unet.parameters(), loaded.unet.parameters(), strict=True):
        assert torch.equal(a, b)


def test_half_precision_files_load_as_float32(tmp_path: Path) -> None:
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(random_networks(TINY), *paths, dtype=torch.float16)
    assert {p.dtype for p in load_networks(TINY, *paths).unet.parameters()} == {torch.float32}


def test_unusable_weights_are_named_in_one_line(tmp_path: Path) -> None:
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    with pytest.raises(UserError, match="no weights at"):
        load_networks(TINY, *paths)
    save_networks(random_networks(TINY), *paths)
    with pytest.raises(UserError, match="does not fit the preset"):
        load_networks(preset("tiny-teacher"), *paths)
    paths[1].write_bytes(paths[1].read_bytes()[:100])
    with pytest.raises(UserError, match="not a readable safetensors file"):
        load_networks(TINY, *paths)
    with pytest.raises(UserError, match="without trained weights"):
        shipped_networks(TINY)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("which", ["autoencoder", "unet", "image_encoder"])
def test_weights_that_are_no_numbers_are_refused_by_name(which: str, value: float, tmp_path: Path) -> None:
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    networks = random_networks(CLIP)
    module = getattr(networks, which)
    name, weight = next(reversed(list(module.named_parameters())))
    weight.data.view(-1)[-1] = value
    save_networks(networks, *paths)
    said = f"{which}.safetensors holds {re.escape(name)} with 1 of {weight.numel()} values NaN or infinite"
    with pytest.raises(UserError, match=said):
        load_networks(CLIP, *paths)
    if which == "autoencoder":
        with pytest.raises(UserError, match=said):
            load_autoencoder(CLIP, paths[0])


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.bool, torch.complex64])
def test_weights_that_are_no_floats_are_refused_by_name(dtype: torch.dtype, tmp_path: Path) -> None:
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(random_networks(TINY), *paths)
    weights = load_file(paths[1])
    weights["conv_in.bias"] = weights["conv_in.bias"].to(dtype)
    save_file(weights, paths[1], {"preset": "tiny"})
    with pytest.raises(UserError, match=r"unet.safetensors holds conv_in.bias as "):
        load_networks(TINY, *paths)


def test_an_autoencoder_and_a_unet_of_two_runs_are_told_by_their_scales(tmp_path: Path) -> None:
    for run, scale in (("one", 1.0), ("two", 1.5)):
        networks = replace(random_networks(TINY), latent_scale=scale)
        save_networks(networks, tmp_path / run / "autoencoder.safetensors", tmp_path / run / "unet.safetensors")
    with pytest.raises(UserError, match="they are of two runs"):
        load_networks(TINY, tmp_path / "one/autoencoder.safetensors", tmp_path / "two/unet.safetensors")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan"), 1e30])
def test_a_latent_scale_that_cannot_be_is_refused(scale: float, tmp_path: Path) -> None:
    paths = tmp_path / "autoencoder.safetensors", tmp_path / "unet.safetensors"
    save_networks(replace(random_networks(TINY), latent_scale=scale), *paths)
    with pytest.raises(UserError, match=r"autoencoder.safetensors scales latents by"):
        load_networks(TINY, *paths)
    with pytest.raises(UserError, match=r"autoencoder.safetensors scales latents by"):
        load_autoencoder(TINY, paths[0])


def test_a_misspelt_preset_gets_a_suggestion() -> None:
    with pytest.raises(UserError, match="did you mean 'demo-teacher'"):
        preset("demo-techer")


def test_random_latents_are_as_large_as_their_scale_says() -> None:
    networks = random_networks(CLIP)
    noise = torch.rand((1, 3, CLIP.height, CLIP.width), generator=torch.Generator().manual_seed(5)) * 2 - 1
    with torch.no_grad():
        latent = networks.autoencoder.encode(noise) * networks.latent_scale
    assert 0.7 < float(latent.std()) < 1.4
