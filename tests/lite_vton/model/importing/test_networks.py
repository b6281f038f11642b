"""Imported networks answer as their sources do, run as their authors run them: own channels, own mask, no pose."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from diffusers.pipelines.deprecated.paint_by_example.image_encoder import PaintByExampleImageEncoder
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPVisionConfig

from lite_vton.errors import UserError
from lite_vton.model.importing.garment_token import _drawn_shirt
from lite_vton.model.importing.networks import import_networks
from lite_vton.model.networks import Networks, build_networks, load_networks, save_networks
from lite_vton.model.unet import EdgeConv
from tests.lite_vton.model.their_checkpoints import (
    CLIP,
    PLAIN,
    TOKENS,
    WIDTH,
    catvton,
    distance,
    original,
    original_unet_name,
    paint_by_example,
    pipeline,
    shaken,
    their_autoencoder,
    their_unet,
    without_cross_attention,
    write,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("channels", "layout"), [(4, "stable-diffusion"), (9, "inpainting"), (9, "paint-by-example")])
def test_a_diffusers_folder_answers_as_before(channels: int, layout: str, tower: Path, tmp_path: Path) -> None:
    theirs = their_unet(channels)
    source = pipeline(tmp_path / "source", theirs)
    networks = import_networks(source, CLIP, layout=layout, image_encoder=tower).networks
    assert distance(theirs, networks.unet, layout, TOKENS, TOKENS) < 1e-5
    plain = import_networks(source, PLAIN, layout=layout).networks
    assert distance(without_cross_attention(theirs), plain.unet, layout, None) < 1e-5


def test_the_autoencoder_comes_with_its_scale(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    networks = import_networks(source, PLAIN).networks
    theirs = their_autoencoder()
    picture = torch.rand(1, 3, 64, 48) * 2 - 1
    with torch.no_grad():
        latent = theirs.encode(picture).latent_dist.mode()
        assert torch.equal(networks.autoencoder.encode(picture), latent)
        assert torch.equal(networks.autoencoder.decode(latent), theirs.decode(latent).sample)
    assert networks.latent_scale == 0.25


def test_names_of_stable_diffusion_1s_autoencoder_are_known(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    file = source / "vae/diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(file)
    renamed = {re.sub(r"to_(?:[qkv]|out\.0)", lambda m: old[m[0]], name): w.clone() for name, w in weights.items()}
    assert set(renamed) != set(weights)
    save_file(renamed, file)
    ours = import_networks(source, PLAIN).networks.autoencoder.state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in their_autoencoder().state_dict().items())


@pytest.mark.parametrize("name", ["viton512.ckpt", "viton512.safetensors"])
def test_paint_by_example_answers_as_before_up_to_the_edge(name: str, tower: Path, tmp_path: Path) -> None:
    theirs, token = their_unet(9), TOKENS[:1, :1]
    source = write(paint_by_example(theirs, token), tmp_path / name)
    networks = import_networks(source, CLIP, image_encoder=tower).networks
    assert distance(theirs, networks.unet, "paint-by-example", TOKENS, TOKENS) < 1e-5
    # Without cross-attention: as its authors' guidance asks it, with the token for no garment.
    plain = import_networks(source, PLAIN).networks
    assert distance(theirs, plain.unet, "paint-by-example", token.expand(2, -1, -1)) < 1e-5
    ours = plain.autoencoder.state_dict()
    assert all(torch.equal(ours[key], tensor) for key, tensor in their_autoencoder().state_dict().items())


def test_paint_by_example_in_diffusers_brings_its_token_too(tmp_path: Path) -> None:
    theirs = their_unet(9)
    source = pipeline(tmp_path / "source", theirs)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=5, num_attention_heads=2, image_size=28, patch_size=14
    )
    encoder = shaken(PaintByExampleImageEncoder(config, proj_size=WIDTH))
    encoder.save_pretrained(source / "image_encoder")  # type: ignore[operator]
    (source / "model_index.json").write_text('{"_class_name": "PaintByExamplePipeline"}', encoding="utf-8")
    plain = import_networks(source, PLAIN)
    token = encoder.uncond_vector.detach()  # type: ignore[union-attr,operator]
    assert distance(theirs, plain.networks.unet, "paint-by-example", token.expand(2, -1, -1)) < 1e-5
    assert any("token for no garment" in note for note in plain.notes)


def small_reader() -> PaintByExampleImageEncoder:
    config = CLIPVisionConfig(
        hidden_size=64, intermediate_size=32, num_hidden_layers=5, num_attention_heads=1, image_size=28, patch_size=14
    )
    return shaken(PaintByExampleImageEncoder(config, proj_size=WIDTH))  # type: ignore[return-value]


def as_dci_vton_has_it(reader: PaintByExampleImageEncoder) -> dict[str, torch.Tensor]:
    """The garment's reader by the names of its authors' code: queries, keys and values in one."""
    weights, joined = {}, {}
    names = {"attn1.to_out.0": "attn.c_proj", "norm1": "ln_1", "norm3": "ln_2"}
    names |= {"ff.net.0.proj": "mlp.c_fc", "ff.net.2": "mlp.c_proj"}
    for name, weight in reader.state_dict().items():
        if name.startswith("model."):
            weights[f"cond_stage_model.transformer.vision_model.{name.removeprefix('model.')}"] = weight
        elif name.startswith("final_layer_norm."):
            weights[f"cond_stage_model.final_ln.{name.rpartition('.')[2]}"] = weight
        elif match := re.match(r"mapper\.blocks\.(\d)\.(.*)\.(weight|bias)", name):
            place = f"cond_stage_model.mapper.resblocks.{match[1]}"
            if match[2] in ("attn1.to_q", "attn1.to_k", "attn1.to_v"):
                joined.setdefault(f"{place}.attn.c_qkv.{match[3]}", []).append(weight)
            elif match[2] in names:
                weights[f"{place}.{names[match[2]]}.{match[3]}"] = weight
        elif name.startswith("proj_out."):
            weights[name] = weight
    return weights | {name: torch.cat(parts) for name, parts in joined.items()}


@pytest.mark.parametrize("form", ["original", "diffusers"])
def test_what_the_garments_token_was_worth_is_said_as_a_figure(form: str, tmp_path: Path) -> None:
    theirs, reader = their_unet(9), small_reader()
    token = reader.uncond_vector.detach()
    source = tmp_path / "viton512.safetensors"
    if form == "original":
        write(original(theirs) | as_dci_vton_has_it(reader) | {"learnable_vector": token.clone()}, source)
    else:
        source = pipeline(tmp_path / "source", theirs)
        reader.save_pretrained(source / "image_encoder")
        (source / "model_index.json").write_text('{"_class_name": "PaintByExamplePipeline"}', encoding="utf-8")
    imported = import_networks(source, PLAIN)
    with torch.no_grad():
        seen = reader(_drawn_shirt(28))
    state = theirs.state_dict()

    def answers(given: torch.Tensor) -> torch.Tensor:
        blocks = sorted({name.partition(".attn2.")[0] for name in state if ".attn2." in name})
        parts = ("to_v.weight", "to_out.0.weight", "to_out.0.bias")
        each = [[state[f"{block}.attn2.{part}"] for part in parts] for block in blocks]
        return torch.cat([out @ (value @ given.flatten()) + bias for value, out, bias in each])

    off, whole = (float(v.square().mean().sqrt()) for v in (answers(seen) - answers(token), answers(seen)))
    assert any(f"off by {off:.3g} of {whole:.3g}" in note for note in imported.notes)
    assert distance(theirs, imported.networks.unet, "paint-by-example", token.expand(2, -1, -1)) < 1e-5
    assert distance(theirs, imported.networks.unet, "paint-by-example", seen.expand(2, -1, -1)) > 1e-2


def test_without_the_garments_reader_it_is_said_that_it_cannot_be_said(tmp_path: Path) -> None:
    source = write(paint_by_example(their_unet(9), TOKENS[:1, :1]), tmp_path / "a.safetensors")
    assert any("how much that is cannot be said" in note for note in import_networks(source, PLAIN).notes)


def test_without_its_edge_the_inverted_mask_would_not_be_exact(tmp_path: Path) -> None:
    theirs, token = their_unet(9), TOKENS[:1, :1]
    unet = import_networks(write(paint_by_example(theirs, token), tmp_path / "a.safetensors"), PLAIN).networks.unet
    assert isinstance(unet.conv_in, EdgeConv)
    unet.conv_in.beyond.zero_()
    assert distance(theirs, unet, "paint-by-example", token.expand(2, -1, -1)) > 1e-3


def test_an_inpainting_checkpoint_in_the_original_format_is_told_from_paint_by_example(tmp_path: Path) -> None:
    theirs = their_unet(9)
    text = {"cond_stage_model.transformer.text_model.final_layer_norm.weight": torch.ones(3)}
    source = write(original(theirs) | text, tmp_path / "inpainting.safetensors")
    plain = import_networks(source, PLAIN).networks
    assert distance(without_cross_attention(theirs), plain.unet, "inpainting", None) < 1e-5
    with pytest.raises(UserError, match=r"--layout inpainting or --layout paint-by-example"):
        import_networks(write(original(theirs), tmp_path / "unknown.safetensors"), PLAIN)


def test_the_moving_average_is_what_its_authors_sample_with(tmp_path: Path) -> None:
    old, theirs = their_unet(4), shaken(their_unet(4))
    average = {
        "model_ema." + f"diffusion_model.{original_unet_name(n)}".replace(".", ""): w.clone()
        for n, w in theirs.state_dict().items()
    }
    source = write(original(old) | average, tmp_path / "full-ema.safetensors")
    assert distance(without_cross_attention(theirs), import_networks(source, PLAIN).networks.unet,
                    "stable-diffusion", None) < 1e-5  # fmt: skip


def test_catvton_answers_as_before_person_and_garment_one_above_the_other(tmp_path: Path) -> None:
    base = their_unet(9)
    theirs = catvton(base, tmp_path / "attention")
    assert "8.to_q.weight" in load_file(tmp_path / "attention/model.safetensors")
    source = pipeline(tmp_path / "source", base)
    networks = import_networks(source, PLAIN, layout="inpainting", attention=tmp_path / "attention").networks
    assert distance(theirs, networks.unet, "tall", None) < 1e-5


def test_a_whole_unet_without_cross_attention_comes_as_it_is(tmp_path: Path) -> None:
    theirs = without_cross_attention(their_unet(9))
    source = pipeline(tmp_path / "source", theirs)
    networks = import_networks(source, PLAIN, layout="inpainting").networks
    assert distance(theirs, networks.unet, "inpainting", None) < 1e-5


def test_what_was_imported_survives_the_disk(tmp_path: Path) -> None:
    base = their_unet(9)
    theirs = catvton(base, tmp_path / "attention")
    source = pipeline(tmp_path / "source", base)
    networks = import_networks(source, PLAIN, layout="inpainting", attention=tmp_path / "attention").networks
    assert distance(theirs, saved_and_loaded(networks, tmp_path / "a").unet, "tall", None) < 1e-5
    source = write(paint_by_example(base, TOKENS[:1, :1]), tmp_path / "b.safetensors")
    networks = import_networks(source, PLAIN).networks
    again = saved_and_loaded(networks, tmp_path / "b")
    assert again.latent_scale == networks.latent_scale == 0.18215
    assert distance(base, again.unet, "paint-by-example", TOKENS[:1, :1].expand(2, -1, -1)) < 1e-5


def saved_and_loaded(networks: Networks, folder: Path) -> Networks:
    files = folder / "autoencoder.safetensors", folder / "unet.safetensors"
    save_networks(networks, *files)
    return load_networks(networks.config, *files)


# Ways of saving


@pytest.mark.parametrize("saving", [{"max_shard_size": "40KB"}, {"variant": "fp16"}, {"safe_serialization": False}])
def test_every_way_diffusers_saves_is_read(saving: dict[str, object], tmp_path: Path) -> None:
    theirs = their_unet(4)
    source = pipeline(tmp_path / "source", theirs, **saving)
    assert not (source / "unet/diffusion_pytorch_model.safetensors").exists()
    ours = import_networks(source, PLAIN).networks.unet
    assert distance(without_cross_attention(theirs), ours, "stable-diffusion", None) < 1e-5


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    theirs = their_unet(4).half()
    ours = import_networks(pipeline(tmp_path / "source", theirs), PLAIN).networks.unet
    assert {weight.dtype for weight in ours.parameters()} == {torch.float32}
    assert distance(without_cross_attention(theirs.float()), ours, "stable-diffusion", None) < 1e-5


def test_the_autoencoder_may_come_from_elsewhere(tmp_path: Path) -> None:
    weights = {name: w for name, w in original(their_unet(4)).items() if not name.startswith("first_stage")}
    source = write(weights, tmp_path / "unet-only.safetensors")
    with pytest.raises(UserError, match="no autoencoder"):
        import_networks(source, PLAIN)
    their_autoencoder().save_pretrained(tmp_path / "vae")
    assert import_networks(source, PLAIN, autoencoder=tmp_path / "vae").networks.latent_scale == 0.25


def test_nothing_is_read_that_is_not_needed(tmp_path: Path) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    ours = import_networks(source, PLAIN).networks.unet.state_dict()
    file = source / "unet/diffusion_pytorch_model.safetensors"
    before = ours["conv_out.weight"].clone()
    with file.open("r+b") as opened:  # mapped from the disk: what changes there, changes here
        content = opened.read()
        place = content.index(before.numpy().tobytes())
        opened.seek(place)
        opened.write((before + 1).numpy().tobytes())
    assert torch.equal(ours["conv_out.weight"], before + 1)


def test_a_preset_as_it_is_has_a_plain_first_convolution() -> None:
    with torch.device("meta"):
        assert type(build_networks(PLAIN).unet.conv_in) is nn.Conv2d
