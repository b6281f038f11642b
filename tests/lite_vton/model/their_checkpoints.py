"""Checkpoints as other projects publish them, small and random, and how far our networks answer from theirs."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from safetensors.torch import save_file
from torch import nn

from lite_vton.presets.table import preset

CLIP = preset("tiny-clip")
PLAIN = replace(CLIP, unet=replace(CLIP.unet, cross_attention=None), image_encoder=None)
WIDTH = 24  # of tokens

ORDERS: dict[str, Callable[[dict[str, torch.Tensor]], list[torch.Tensor]]] = {
    "stable-diffusion": lambda told: [told["noisy"]],
    "inpainting": lambda told: [told["noisy"], told["mask"], told["person"]],
    "paint-by-example": lambda told: [told["noisy"], told["person"], 1 - told["mask"]],
    "stableviton": lambda told: [told["noisy"], told["person"], 1 - told["mask"], told["pose"]],
    "lite-vton": lambda told: [told["noisy"], told["mask"], told["person"], told["pose"]],
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


def pipeline(folder: Path, unet: UNet2DConditionModel, **saving: object) -> Path:
    unet.save_pretrained(folder / "unet", **saving)
    their_autoencoder().save_pretrained(folder / "vae")
    return folder


def told(height: int = 8, width: int = 6) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(5)
    noisy, person = (torch.randn(2, 4, height, width, generator=draw) for _ in range(2))
    mask = torch.rand(2, 1, height, width, generator=draw).round()
    return {"noisy": noisy, "mask": mask, "person": person, "pose": torch.randn(2, 4, height, width, generator=draw)}


@torch.no_grad()
def distance(
    theirs: nn.Module, ours: nn.Module, layout: str, tokens: torch.Tensor | None, given: torch.Tensor | None = None
) -> float:
    """Largest difference of the answers; `tokens` are the source's, `given` ours."""
    seen = told(16) if layout == "tall" else told()
    shown = torch.cat(ORDERS["inpainting" if layout == "tall" else layout](seen), dim=1)
    time = torch.tensor([7, 501])
    wanted = theirs(shown, time, tokens).sample
    pose = seen["pose"] if layout in ("stableviton", "lite-vton") else torch.zeros_like(seen["noisy"])
    sample = torch.cat([seen["noisy"], seen["mask"], seen["person"], pose], dim=1)
    return float((ours(sample, time, given).sample - wanted).abs().max())


def without_cross_attention(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    unet = copy.deepcopy(unet)
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = block.norm2 = None
    return unet


TOKENS = torch.randn(2, 5, WIDTH, generator=torch.Generator().manual_seed(3))


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


# Autoencoders in files of their own


def vae_file(file: Path, prefix: str, *, averaged: bool = False) -> Path:
    """Stable Diffusion's autoencoder in one file, its training's loss beside it, perhaps its moving average."""
    weights = {}
    for name, weight in original(their_unet(4)).items():
        if name.startswith("first_stage_model."):
            weights[prefix + name.removeprefix("first_stage_model.")] = weight
    if averaged:
        average = {f"model_ema.{name.replace('.', '')}": weight for name, weight in weights.items()}
        weights = {name: weight + 1 for name, weight in weights.items()} | average
    loss = {"loss.logvar": torch.zeros(()), "loss.perceptual_loss.net.slice1.0.weight": torch.ones(2, 2)}
    return write(weights | {prefix + name: weight for name, weight in loss.items()}, file)


def taesd(folder: Path, form: str) -> AutoencoderTiny:
    """A small TAESD: `form` folder as diffusers saves it, else the two files of its authors."""
    torch.manual_seed(2)
    made = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
        upsample_fn="nearest",
    )
    shaken(made)
    if form == "folder":
        made.save_pretrained(folder)
        return made
    folder.mkdir()
    for part, before in (("encoder", 0), ("decoder", 1)):
        layers = getattr(made, part).layers.state_dict()
        numbered = {f"{int(n.partition('.')[0]) + before}.{n.partition('.')[2]}": w.clone() for n, w in layers.items()}
        if form == "safetensors":
            save_file(numbered, folder / f"taesd_{part}.safetensors")
        else:
            torch.save(numbered, folder / f"taesd_{part}.pth")
    return made


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
