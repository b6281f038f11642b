"""Imported networks answer as their sources do, run as their authors run them: own channels, own mask, no pose."""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.pipelines.deprecated.paint_by_example.image_encoder import PaintByExampleImageEncoder
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPVisionConfig

from lite_vton.errors import UserError
from lite_vton.model.image_encoder import build_image_encoder
from lite_vton.model.importing import import_networks
from lite_vton.model.networks import Networks, build_networks, load_networks, save_networks
from lite_vton.model.unet import EdgeConv
from lite_vton.presets import preset

CLIP = preset("tiny-clip")
PLAIN = replace(CLIP, unet=replace(CLIP.unet, cross_attention=None), image_encoder=None)
WIDTH = 24  # of tokens

ORDERS: dict[str, Callable[[dict[str, torch.Tensor]], list[torch.Tensor]]] = {
    "stable-diffusion": lambda told: [told["noisy"]],
    "inpainting": lambda told: [told["noisy"], told["mask"], told["person"]],
    "paint-by-example": lambda told: [told["noisy"], told["person"], 1 - told["mask"]],
}
"""What each source is shown; a mask of ours is 1 = repaint."""


def shaken(module: nn.Module) -> nn.Module:
    """Every weight moved, so that none is a one or a zero by default."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))
    return module.eval()


def their_unet(channels: int) -> UNet2DConditionModel:
    torch.manual_seed(channels)
    made = UNet2DConditionModel(
        in_channels=channels,
        block_out_channels=(16, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        attention_head_dim=2,
        norm_num_groups=8,
        cross_attention_dim=WIDTH,
    )
    return shaken(made)


def their_autoencoder() -> AutoencoderKL:
    torch.manual_seed(1)
    made = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        norm_num_groups=4,
        scaling_factor=0.25,
    )
    return shaken(made)


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert CLIP.image_encoder is not None
    folder = tmp_path_factory.mktemp("clip")
    build_image_encoder(CLIP.image_encoder).save_pretrained(folder)
    return folder


def pipeline(folder: Path, unet: UNet2DConditionModel, **saving: object) -> Path:
    unet.save_pretrained(folder / "unet", **saving)
    their_autoencoder().save_pretrained(folder / "vae")
    return folder


def told(height: int = 8, width: int = 6) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    noisy, person = (torch.randn(2, 4, height, width, generator=draw) for _ in range(2))
    return {"noisy": noisy, "mask": torch.rand(2, 1, height, width, generator=draw).round(), "person": person}


@torch.no_grad()
def distance(
    theirs: nn.Module, ours: nn.Module, layout: str, tokens: torch.Tensor | None, given: torch.Tensor | None = None
) -> float:
    """Largest difference of the answers; `tokens` are the source's, `given` ours."""
    seen = told(16) if layout == "tall" else told()
    shown = torch.cat(ORDERS["inpainting" if layout == "tall" else layout](seen), dim=1)
    time = torch.tensor([7, 501])
    wanted = theirs(shown, time, tokens).sample
    sample = torch.cat([seen["noisy"], seen["mask"], seen["person"], torch.zeros_like(seen["noisy"])], dim=1)
    return float((ours(sample, time, given).sample - wanted).abs().max())


def without_cross_attention(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    unet = copy.deepcopy(unet)
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = block.norm2 = None
    return unet


TOKENS = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(3))


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


# The original format, its names written down from its code

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def original_unet_name(name: str) -> str:
    """Of a U-Net with one layer a level: each level is a layer and, but for the last, a downsampler."""
    layer, _, kind = name.rpartition(".")
    if layer in _ENDS:
        return f"{_ENDS[layer]}.{kind}"
    match = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name)
    if match is None:
        part, number, rest = re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name).groups()  # type: ignore[union-attr]
        place = f"middle_block.{1 if part == 'attentions' else 2 * int(number)}"
    else:
        way, block, part, number, rest = match.groups()
        first = 2 * int(block) + (1 if way == "down" else 0)
        if part == "downsamplers":
            return f"input_blocks.{first + 1}.0.op.{kind}"
        if part == "upsamplers":
            return f"output_blocks.{first + 1}.2.conv.{kind}"
        blocks = "input_blocks" if way == "down" else "output_blocks"
        place = f"{blocks}.{first + int(number)}.{0 if part == 'resnets' else 1}"
    if part == "resnets":
        inner, _, kind = rest.rpartition(".")
        rest = f"{_RESNET[inner]}.{kind}"
    return f"{place}.{rest}"


def original_autoencoder_name(name: str) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"(down|up)samplers\.0", r"\1sample", name)
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name).replace("down_blocks", "down")
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{3 - int(m[1])}.block", name)
    name = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{3 - int(m[1])}", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    found = re.match(r"(.*)mid_block\.attentions\.0\.(.*)\.(weight|bias)", name)
    return name if found is None else f"{found[1]}mid.attn_1.{_ATTENTION[found[2]]}.{found[3]}"


def original(unet: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    weights = {f"model.diffusion_model.{original_unet_name(n)}": w for n, w in unet.state_dict().items()}
    for name, weight in their_autoencoder().state_dict().items():
        square = "mid_block.attentions" in name and weight.ndim == 2  # 1x1 convolutions there
        weights[f"first_stage_model.{original_autoencoder_name(name)}"] = weight[..., None, None] if square else weight
    return {name: weight.clone() for name, weight in weights.items()} | {"betas": torch.zeros(1000)}


def paint_by_example(unet: UNet2DConditionModel, token: torch.Tensor) -> dict[str, torch.Tensor]:
    more = {"learnable_vector": token, "proj_out.weight": torch.zeros(2, 2), "cond_stage_model.final_ln.weight": token}
    return original(unet) | {name: weight.clone() for name, weight in more.items()}


def write(weights: dict[str, torch.Tensor], file: Path) -> Path:
    if file.suffix == ".safetensors":
        save_file(weights, file)
    else:
        torch.save({"state_dict": weights, "global_step": 7}, file)
    return file


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


# CatVTON


class SelfAttention(nn.Module):
    """A processor that is a module, as CatVTON's is: it takes a number in the list it saves."""

    def __init__(self, processor: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.processor = processor

    def forward(self, *given: object, **more: object) -> torch.Tensor:
        return self.processor(*given, **more)


class Skip:
    def __call__(self, _: nn.Module, hidden_states: torch.Tensor, *__: object, **___: object) -> torch.Tensor:
        return hidden_states


def catvton(base: UNet2DConditionModel, folder: Path) -> UNet2DConditionModel:
    """Its U-Net on `base`, and its attention as its authors save it: each module a number, each weight once."""
    unet = copy.deepcopy(base)
    unet.set_attn_processor(
        {
            name: Skip() if name.endswith("attn2.processor") else SelfAttention(processor)
            for name, processor in unet.attn_processors.items()
        }
    )
    for name, weight in unet.named_parameters():
        if ".attn1." in name:
            weight.data.mul_(1.5)
    listed = nn.ModuleList([module for name, module in unet.named_modules() if "attn1" in name])
    once: dict[int, tuple[str, torch.Tensor]] = {}
    for name, weight in listed.state_dict().items():
        once.setdefault(weight.data_ptr(), (name, weight.clone()))
    folder.mkdir(parents=True)
    save_file(dict(once.values()), folder / "model.safetensors")
    return unet


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


# What will not do


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return (os.mkdir, ("ran", 0o700))


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": original(their_unet(4)), "callbacks": Malicious()}, "evil.ckpt")
    with pytest.raises(UserError, match="convert it to safetensors"):
        import_networks(Path("evil.ckpt"), PLAIN)
    assert not Path("ran").exists()


def test_a_trainers_settings_beside_the_weights_are_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Lightning's own checkpoints name this class; it is not installed, and nothing of it is needed.
    module = type(os)("pytorch_lightning")
    callback = type("ModelCheckpoint", (), {"__module__": "pytorch_lightning"})
    module.ModelCheckpoint = callback  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "pytorch_lightning", module)
    theirs = their_unet(4)
    torch.save({"state_dict": original(theirs), "callbacks": {callback: callback()}}, tmp_path / "last.ckpt")
    monkeypatch.delitem(__import__("sys").modules, "pytorch_lightning")
    ours = import_networks(tmp_path / "last.ckpt", PLAIN).networks.unet
    assert distance(without_cross_attention(theirs), ours, "stable-diffusion", None) < 1e-5


def _edit(file: Path, **settings: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | settings), encoding="utf-8")


def _pointer(source: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (source / "unet/diffusion_pytorch_model.safetensors").write_text(text, encoding="utf-8")


def _truncate(source: Path) -> None:
    file = source / "unet/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:500])


def _change(source: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    file = source / "unet/diffusion_pytorch_model.safetensors"
    weights = {name: tensor.clone() for name, tensor in load_file(file).items()}
    change(weights)
    save_file(weights, file)


def _noise(source: Path, **settings: object) -> None:
    (source / "scheduler").mkdir()
    (source / "scheduler/scheduler_config.json").write_text(json.dumps(settings), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_pointer, "git lfs pull"),
        (_truncate, "not a readable safetensors file"),
        (lambda s: (s / "unet/diffusion_pytorch_model.safetensors").unlink(), "holds no weights"),
        (lambda s: (s / "unet/config.json").unlink(), "no file"),
        (lambda s: (s / "unet/config.json").write_text("{", encoding="utf-8"), "not readable JSON"),
        (lambda s: (s / "unet").rename(s / "net"), "no folder unet"),
        (lambda s: (s / "vae").rename(s / "autoencoder"), "no autoencoder"),
        (lambda s: _edit(s / "unet/config.json", attention_head_dim=4), "attention_head_dim is 4"),
        (lambda s: _edit(s / "vae/config.json", norm_num_groups=2), "norm_num_groups is 2"),
        (lambda s: _edit(s / "vae/config.json", scaling_factor="large"), "no number"),
        (lambda s: _noise(s, prediction_type="v_prediction"), "prediction_type is v_prediction"),
        (lambda s: _change(s, lambda w: w.pop("conv_out.bias")), "lacks conv_out.bias"),
        (lambda s: _change(s, lambda w: w.update(extra=torch.ones(1))), "has extra"),
        (lambda s: _change(s, lambda w: w.update({"conv_out.bias": torch.ones(5)})), r"conv_out.bias of shape \(5,\)"),
        (lambda s: _change(s, lambda w: w.update({"conv_in.weight": torch.ones(16, 7, 3, 3)})), "takes 7 channels"),
    ],
)  # fmt: skip
def test_a_folder_that_will_not_do_is_named_in_one_line(
    spoil: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    source = pipeline(tmp_path / "source", their_unet(4))
    spoil(source)
    with pytest.raises(UserError, match=said):
        import_networks(source, PLAIN)


def test_files_that_will_not_do_are_named_in_one_line(tmp_path: Path) -> None:
    weights = original(their_unet(4))
    with pytest.raises(UserError, match="no checkpoint in the original format"):
        import_networks(write({"a": torch.ones(1)}, tmp_path / "a.safetensors"), PLAIN)
    more = {"model.diffusion_model.label_emb.weight": torch.ones(1)}
    with pytest.raises(UserError, match="which Stable Diffusion has not"):
        import_networks(write(weights | more, tmp_path / "b.safetensors"), PLAIN)
    del weights["model.diffusion_model.out.2.bias"]
    with pytest.raises(UserError, match="lacks"):
        import_networks(write(weights, tmp_path / "c.safetensors"), PLAIN)
    with pytest.raises(UserError, match="choose"):
        import_networks(write(original(their_unet(9)), tmp_path / "d.safetensors"), PLAIN, layout="stable-diffusion")
    (tmp_path / "e.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"e\.ckpt"):
        import_networks(tmp_path / "e.ckpt", PLAIN)


def test_presets_of_another_kind_are_refused(tower: Path, tmp_path: Path) -> None:
    for config, options, said in (
        (preset("tiny"), {}, "not built as Stable Diffusion"),
        (CLIP, {}, "--image-encoder"),
        (CLIP, {"image_encoder": tower, "attention": tmp_path}, "CatVTON has no cross-attention"),
        (PLAIN, {"image_encoder": tower}, "has no image encoder"),
    ):
        with pytest.raises(UserError, match=said):
            import_networks(tmp_path, config, **options)  # type: ignore[arg-type]


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
