"""A student's first weights, sliced from its teacher: which channels and blocks it keeps, and their weights.

Where a student starts matters more than what it is taught by (BK-SDM, Kim et al. 2023, arXiv:2305.15798), so it starts
as its teacher with parts taken out. Every axis of every weight runs over one or more *spaces*: the channels of a
level, of the inside of a block, of a head. A space keeps the same channels wherever it is read or written:

- **Levels.** One set of channels a resolution serves the way down, the way up, the skip connections and the middle.
  Levels that the teacher joins by an unweighted residual connection (equal widths) are ranked together, so that what
  is added up stays the same channel.
- **Rank** is by weight norm: squares of all convolutions and linear layers that write or read the channel (Li et al.
  2017, arXiv:1608.08710), norms and biases aside.
- **GroupNorm.** Where student and teacher have groups of one size, whole groups go or stay, and their statistics are
  the teacher's own. Otherwise (the usual case: as many groups, each narrower) every group gives up the same share, so
  that a student's group estimates the statistics of the very group its scale and bias were learnt for; ranking over
  the whole width instead would shuffle channels between groups. Order is kept, which also keeps the groups of
  concatenated skip connections nearly in place: their sizes follow from sums of widths.
- **Attention.** Heads keep equal shares, or go whole if their width stays; queries are scaled so that a narrower
  head's logits keep their size. The transformer's own stream and the feed-forward's inside are spaces of their own.
- **Blocks.** Of a level's blocks the first and the last survive, others evenly between them: on the way up the first
  joins the level below and the last the skip from the level above, which no other block can stand in for.
- **Time.** A student with another first width has other frequencies; its first layer is then fitted by least squares
  to give what the teacher's gives at each of 1000 timesteps.

What a student has and a teacher has not is refused, but for a weighted residual connection, which starts as the
identity it replaces. What a teacher has and a student has not (blocks, the middle, attention, cross-attention, a
weighted residual connection) is left out. Layers that only an imported teacher has (`lite_vton.model.unet.adapt`) are
no part of a preset's shape: the student is given them first, and their weights with all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.unet import EdgeConv, SkippedAttention, adapt

__all__ = ["kept_channels", "slim", "slimmed_state"]

Axis = tuple[str, ...]
"""The spaces one axis of a weight runs over, one after the other: two where channels are concatenated."""

FITTED_TIMESTEPS = 1000
"""Timesteps at which a time embedding of other frequencies is fitted: Stable Diffusion's."""

FREQUENCIES = "time.frequencies"


def slim(teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> None:
    """Give every weight of `student` a value sliced from `teacher`, which is left as it is.

    The student is first given the layers that only imported networks have, where its teacher has them. Equal
    configurations give equal weights. On the meta device, where weights have no values, the first channels count
    as the largest, so that shapes can be checked without memory. Raises `UserError` where the student has what the
    teacher has not: more levels, blocks, channels, attention, a middle, other inputs or outputs.
    """
    student.load_state_dict(slimmed_state(teacher, student), strict=True, assign=student.device.type == "meta")


def slimmed_state(teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """The weights `slim` gives: by the student's names, in its shapes and precision.

    `student` gets the layers of an imported teacher, as `slim` says; its weights are left as they are.
    """
    _refuse(teacher, student)
    adapt(student, _imported_layers(teacher, student))
    kept = kept_channels(teacher, student)
    sizes, weights = _sizes(teacher), teacher.state_dict()
    state: dict[str, torch.Tensor] = {}
    for name, axes in _axes(student).items():
        source = _counterpart(name, teacher, student)
        if source in weights:
            weight = weights[source]
            for dim, axis in enumerate(axes):
                weight = weight.index_select(dim, _indices(axis, kept, sizes, teacher, student).to(weight.device))
        else:
            weight = _identity(axes, kept, student.state_dict()[name])
        state[name] = weight
    _keep_logits(state, teacher, student)
    if sizes[FREQUENCIES] != _sizes(student)[FREQUENCIES]:
        rows = kept["time.inner"]
        state.update(_fitted_time_embedding(teacher, student, rows))
    return {name: state[name].to(old.dtype).clone() for name, old in student.state_dict().items()}


def kept_channels(teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """For each space of the student the teacher's channels it keeps: ascending indices, int64, on the CPU."""
    ranks = _importance(teacher)
    parts = _parts(teacher), _parts(student)
    kept: dict[str, torch.Tensor] = {}
    for space, size in _sizes(student).items():
        source = _counterpart(space, teacher, student)
        if source == FREQUENCIES:
            continue
        rank = ranks[source]
        if len(rank) < size:
            raise UserError(
                f"the student is wider than its teacher at {space} ({size} of {len(rank)}): start at random"
            )
        kept[space] = _choose(rank, size, parts[0].get(source, 1), parts[1].get(space, 1), space)
    return kept


def _choose(rank: torch.Tensor, size: int, parts: int, student_parts: int, space: str) -> torch.Tensor:
    """The `size` best of `rank`: whole parts where parts stay as wide, else equally many of each part."""
    width, student_width = len(rank) // parts, size // student_parts
    if width == student_width:
        best = _top(rank.view(parts, width).sum(dim=1), student_parts)
        return (best.unsqueeze(1) * width + torch.arange(width)).flatten()
    if len(rank) % student_parts or (space.endswith("/heads") and parts != student_parts):
        raise UserError(
            f"{space} has {parts} parts of {width}, the student's {student_parts} of {student_width}: start at random"
        )
    chunks = rank.view(student_parts, -1)
    return torch.cat([i * chunks.shape[1] + _top(chunk, student_width) for i, chunk in enumerate(chunks)])


def _top(rank: torch.Tensor, count: int) -> torch.Tensor:
    """Ascending indices of the `count` largest; the first ones among equals."""
    return rank.argsort(descending=True, stable=True)[:count].sort().values


# Spaces and axes


def _axes(unet: UNet2DConditionModel) -> dict[str, tuple[Axis, ...]]:
    """The spaces of each parameter's first two axes; kernels are left whole."""
    found: dict[str, tuple[Axis, ...]] = {}
    for name, out, into in _layers(unet):
        layer = unet.get_submodule(name)
        if getattr(layer, "weight", None) is not None:
            found[f"{name}.weight"] = (out,) if into is None else (out, into)
        if getattr(layer, "bias", None) is not None:
            found[f"{name}.bias"] = (out,)
        if isinstance(layer, EdgeConv) and into is not None:
            found[f"{name}.beyond"] = (into,)
    missed = {name for name, _ in unet.named_parameters()} - set(found)
    if missed:
        raise UserError(f"a U-Net with {sorted(missed)[0]} cannot be slimmed: start at random")
    return found


def _layers(unet: UNet2DConditionModel) -> Iterator[tuple[str, Axis, Axis | None]]:
    """Name, output axis and, unless it is a norm, input axis of each layer."""
    yield "conv_in", ("level0",), ("in",)
    yield "time_embedding.linear_1", ("time.inner",), (FREQUENCIES,)
    yield "time_embedding.linear_2", ("time",), ("time.inner",)
    last = len(unet.down_blocks) - 1
    for i, block in enumerate(unet.down_blocks):
        name, here = f"down_blocks.{i}", f"level{i}"
        for k, resnet in enumerate(block.resnets):
            yield from _resnet(f"{name}.resnets.{k}", resnet, (here,), (f"level{max(i - 1, 0)}" if k == 0 else here,))
        yield from _attentions(name, block, here)
        if block.downsamplers is not None:
            yield f"{name}.downsamplers.0.conv", (here,), (here,)
    if unet.mid_block is not None:
        bottom = f"level{last}"
        for k, resnet in enumerate(unet.mid_block.resnets):
            yield from _resnet(f"mid_block.resnets.{k}", resnet, (bottom,), (bottom,))
        yield from _attentions("mid_block", unet.mid_block, bottom)
    for j, block in enumerate(unet.up_blocks):
        name, i = f"up_blocks.{j}", last - j
        here, below, above = f"level{i}", f"level{min(i + 1, last)}", f"level{max(i - 1, 0)}"
        for k, resnet in enumerate(block.resnets):
            hidden = below if k == 0 else here
            skip = above if k == len(block.resnets) - 1 else here
            yield from _resnet(f"{name}.resnets.{k}", resnet, (here,), (hidden, skip))
        yield from _attentions(name, block, here)
        if block.upsamplers is not None:
            yield f"{name}.upsamplers.0.conv", (here,), (here,)
    yield "conv_norm_out", ("level0",), None
    yield "conv_out", ("out",), ("level0",)


def _resnet(name: str, resnet: ResnetBlock2D, out: Axis, into: Axis) -> Iterator[tuple[str, Axis, Axis | None]]:
    inner = (f"{name}/inner",)
    yield f"{name}.norm1", into, None
    yield f"{name}.conv1", inner, into
    yield f"{name}.time_emb_proj", inner, ("time",)
    yield f"{name}.norm2", inner, None
    yield f"{name}.conv2", out, inner
    if resnet.conv_shortcut is not None:
        yield f"{name}.conv_shortcut", out, into


def _attentions(name: str, block: nn.Module, level: str) -> Iterator[tuple[str, Axis, Axis | None]]:
    for k, attention in enumerate(getattr(block, "attentions", ())):
        assert isinstance(attention, Transformer2DModel)
        prefix = f"{name}.attentions.{k}"
        stream = (f"{prefix}/stream",)
        yield f"{prefix}.norm", (level,), None
        yield f"{prefix}.proj_in", stream, (level,)
        for n, inside in enumerate(attention.transformer_blocks):
            yield from _transformer(f"{prefix}.transformer_blocks.{n}", inside, stream)
        yield f"{prefix}.proj_out", (level,), stream


def _transformer(name: str, block: BasicTransformerBlock, stream: Axis) -> Iterator[tuple[str, Axis, Axis | None]]:
    inner = (f"{name}/inner",)
    for number, context in ((1, stream), (2, ("context",))):
        attention = getattr(block, f"attn{number}")
        if isinstance(attention, SkippedAttention):
            yield f"{name}.norm{number}", stream, None
        elif attention is not None:
            attn, heads = f"{name}.attn{number}", (f"{name}.attn{number}/heads",)
            yield f"{name}.norm{number}", stream, None
            yield f"{attn}.to_q", heads, stream
            yield f"{attn}.to_k", heads, context
            yield f"{attn}.to_v", heads, context
            yield f"{attn}.to_out.0", stream, heads
    yield f"{name}.norm3", stream, None
    yield f"{name}.ff.net.0.proj", (*inner, *inner), stream  # GEGLU: values, then their gates
    yield f"{name}.ff.net.2", stream, inner


def _sizes(unet: UNet2DConditionModel) -> dict[str, int]:
    """Channels of each space."""
    state = unet.state_dict()
    sizes = {
        axis[0]: state[name].shape[dim]
        for name, axes in _axes(unet).items()
        for dim, axis in enumerate(axes)
        if len(axis) == 1
    }
    return sizes


def _parts(unet: UNet2DConditionModel) -> dict[str, int]:
    """Groups of spaces under a GroupNorm, and heads of those of an attention; all else is one part."""
    groups = {
        space: unet.config.norm_num_groups for space in _sizes(unet) if re.search(r"^level|resnets.*/inner", space)
    }
    heads = {
        f"{name}/heads": module.heads
        for name, module in unet.named_modules()
        if name.endswith(("attn1", "attn2")) and isinstance(module, Attention)
    }
    return groups | heads


def _importance(unet: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """Sum of squares of the weights that write or read each channel, by space; tied levels share theirs."""
    sizes, state = _sizes(unet), unet.state_dict()
    ranks = {space: torch.zeros(size, dtype=torch.float64) for space, size in sizes.items()}
    for name, axes in _axes(unet).items():
        weight = state[name]
        if weight.ndim < 2 or weight.is_meta:
            continue
        squares = weight.float().square()
        for dim, axis in enumerate(axes):
            rest = [d for d in range(weight.ndim) if d != dim]
            parts = squares.sum(dim=rest).double().cpu().split([sizes[space] for space in axis])
            for space, part in zip(axis, parts, strict=True):
                ranks[space] += part
    for levels in _tied_levels(unet):
        shared = torch.stack([ranks[level] for level in levels]).sum(dim=0)
        ranks.update(dict.fromkeys(levels, shared))
    return ranks


def _tied_levels(unet: UNet2DConditionModel) -> list[list[str]]:
    """Levels joined by residual connections without weights, from the top down."""
    groups = [["level0"]]
    for i, block in enumerate(unet.down_blocks[1:], start=1):
        if block.resnets[0].conv_shortcut is None:
            groups[-1].append(f"level{i}")
        else:
            groups.append([f"level{i}"])
    return groups


# From a student's names to its teacher's


@dataclass(frozen=True)
class _Place:
    """Where a name of a U-Net points: the list of blocks, which of them, and what follows."""

    level: str
    kind: str
    index: int
    rest: str


def _place(name: str) -> _Place | None:
    match = re.match(r"((?:down|up)_blocks\.\d+)\.(resnets|attentions)\.(\d+)(.*)", name)
    return None if match is None else _Place(match[1], match[2], int(match[3]), match[4])


def _counterpart(name: str, teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> str:
    """The teacher's name of what the student calls `name`: another block's where the student has fewer."""
    place = _place(name)
    if place is None:
        return name
    own, whole = (len(unet.get_submodule(place.level).resnets) for unet in (student, teacher))
    index = 0 if own == 1 else round(place.index * (whole - 1) / (own - 1))
    return f"{place.level}.{place.kind}.{index}{place.rest}"


def _indices(
    axis: Axis,
    kept: dict[str, torch.Tensor],
    sizes: dict[str, int],
    teacher: UNet2DConditionModel,
    student: UNet2DConditionModel,
) -> torch.Tensor:
    """Where the kept channels of the spaces of a student's `axis` lie along the teacher's."""
    found, offset = [], 0
    for space in axis:
        size = sizes[_counterpart(space, teacher, student)]
        found.append(offset + kept.get(space, torch.arange(size)))
        offset += size
    return torch.cat(found)


def _identity(axes: tuple[Axis, ...], kept: dict[str, torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """A residual connection's weights (or bias) where the teacher's has none: each channel to itself, or to nothing."""
    if like.ndim < 2:
        return torch.zeros_like(like)
    out, into = (torch.cat([kept[space] for space in axis]) for axis in axes)
    return (out.unsqueeze(1) == into).to(like).view_as(like)


def _keep_logits(state: dict[str, torch.Tensor], teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> None:
    """Logits are divided by the root of a head's width: make up for one that is narrower now."""
    for name, module in student.named_modules():
        if name.endswith(("attn1", "attn2")) and isinstance(module, Attention):
            before = teacher.get_submodule(_counterpart(name, teacher, student))
            state[f"{name}.to_q.weight"] = state[f"{name}.to_q.weight"] * (before.scale / module.scale)


def _fitted_time_embedding(
    teacher: UNet2DConditionModel, student: UNet2DConditionModel, rows: torch.Tensor
) -> dict[str, torch.Tensor]:
    """First layer of the time embedding: least squares against the teacher's `rows` at every timestep."""
    layer = teacher.time_embedding.linear_1
    timestep = torch.arange(FITTED_TIMESTEPS)
    wanted = nn.functional.linear(teacher.time_proj(timestep).double(), layer.weight.double(), layer.bias.double())
    seen = student.time_proj(timestep).double()
    seen = torch.cat([seen, torch.ones(len(seen), 1, dtype=seen.dtype)], dim=1)
    solved = torch.linalg.lstsq(seen, wanted[:, rows].detach(), driver="gelsd").solution.T
    return {
        "time_embedding.linear_1.weight": solved[:, :-1].float(),
        "time_embedding.linear_1.bias": solved[:, -1].float(),
    }


def _imported_layers(teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> Iterator[str]:
    """Names of the student's weights for which its teacher has a layer that only imported networks have."""
    if isinstance(teacher.conv_in, EdgeConv):
        yield "conv_in.beyond"
    for name, block in student.named_modules():
        if isinstance(block, BasicTransformerBlock):
            source = teacher.get_submodule(_counterpart(name, teacher, student))
            if isinstance(source.attn2, SkippedAttention):
                yield f"{name}.norm2.weight"


def _refuse(teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> None:
    """`UserError` where the student has what cannot be sliced from the teacher."""
    missing = [what for what, absent in _lacks(teacher, student) if absent]
    if missing:
        raise UserError(f"the student has {missing[0]} than its teacher: start at random")


def _lacks(teacher: UNet2DConditionModel, student: UNet2DConditionModel) -> Iterator[tuple[str, bool]]:
    yield "other inputs", teacher.conv_in.in_channels != student.conv_in.in_channels
    yield "other outputs", teacher.conv_out.out_channels != student.conv_out.out_channels
    yield "another number of levels", len(teacher.down_blocks) != len(student.down_blocks)
    yield "more of a middle", student.mid_block is not None and teacher.mid_block is None
    pairs = list(zip(teacher.down_blocks, student.down_blocks, strict=False))
    yield "more blocks a level", any(len(s.resnets) > len(t.resnets) for t, s in pairs)
    yield "more attention", any(hasattr(s, "attentions") and not hasattr(t, "attentions") for t, s in pairs)
    yield "other cross-attention", _crosses(student) and not _crosses(teacher)


def _crosses(unet: UNet2DConditionModel) -> bool:
    blocks = (module for module in unet.modules() if isinstance(module, BasicTransformerBlock))
    return any(isinstance(block.attn2, Attention) for block in blocks)
