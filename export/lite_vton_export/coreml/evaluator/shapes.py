"""Operations that move numbers and leave them as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch.nn import functional

from lite_vton_export.coreml.evaluator.values import Operands, Operation

__all__ = ["SHAPES"]


def _reshape(given: Operands) -> torch.Tensor:
    x = given["x"]
    # 0 keeps a side, as in ONNX.
    return x.reshape([x.shape[axis] if side == 0 else side for axis, side in enumerate(given.integers("shape"))])


def _expand_dims(given: Operands) -> torch.Tensor:
    x, axes = given["x"], given.integers("axes")
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(given: Operands) -> torch.Tensor:
    x = given["x"]
    return x.squeeze(tuple(given.integers("axes"))) if "axes" in given else x.squeeze()


def _concat(given: Operands) -> torch.Tensor:
    parts, axis = given.tensors("values"), given.integer("axis")
    if not given.flag("interleave"):
        return torch.cat(parts, dim=axis)
    axis %= parts[0].dim()
    return torch.stack(parts, dim=axis + 1).flatten(axis, axis + 1)


def _split(given: Operands) -> tuple[torch.Tensor, ...]:
    x, axis = given["x"], given.integer("axis")
    sizes = given.integers("split_sizes") or [x.shape[axis] // given.integer("num_splits")] * given.integer(
        "num_splits"
    )
    return tuple(torch.split(x, sizes, dim=axis))


def _slice_by_index(given: Operands) -> torch.Tensor:
    x = given["x"]
    rank = x.dim()
    begins, ends = given.integers("begin"), given.integers("end")
    strides = given.integers("stride", (1,) * rank)
    open_begin, open_end, one = (
        [bool(flag) for flag in given.integers(f"{name}_mask", (0,) * rank)] for name in ("begin", "end", "squeeze")
    )
    for axis in range(rank):
        side = x.shape[axis]
        if one[axis]:
            index = torch.tensor([begins[axis] % side])
        else:
            picked = slice(
                None if open_begin[axis] else begins[axis], None if open_end[axis] else ends[axis], strides[axis]
            )
            first, past, step = picked.indices(side)
            index = torch.arange(first, max(past, first) if step > 0 else min(past, first), step)
        if len(index) != side or strides[axis] < 0:
            x = x.index_select(axis, index)
    return x.squeeze([axis for axis in range(rank) if one[axis]]) if any(one) else x


def _slice_by_size(given: Operands) -> torch.Tensor:
    x = given["x"]
    for axis, (begin, size) in enumerate(zip(given.integers("begin"), given.integers("size"), strict=True)):
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def _gather(given: Operands) -> torch.Tensor:
    """Rows of `x` along `axis`, one an index, in the shape of the indices; negative ones count from the end."""
    x, indices = given["x"], given["indices"].long()
    axis, batched = given.integer("axis", 0) % x.dim(), given.integer("batch_dims", 0)
    if batched:
        raise ValueError("gather with batch_dims is not computed")
    indices = torch.where(indices < 0, indices + x.shape[axis], indices)
    rows = x.index_select(axis, indices.flatten())
    return rows.reshape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def _pad(given: Operands) -> torch.Tensor:
    """`pad` has begin and end of the last so many axes, first axis first."""
    x, pad = given["x"], given.integers("pad")
    mode = given.word("mode", "constant")
    if mode == "constant":  # torch wants the last axis first
        turned = [side for at in range(len(pad) - 2, -1, -2) for side in pad[at : at + 2]]
        return functional.pad(x, turned, value=given.number("constant_val", 0.0))
    first = x.dim() - len(pad) // 2
    for axis, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=first):
        last = x.shape[axis] - 1
        places = torch.arange(-before, last + 1 + after)
        x = x.index_select(axis, _BEYOND[mode](places, last))
    return x


_BEYOND: Mapping[str, Callable[[torch.Tensor, int], torch.Tensor]] = MappingProxyType(
    {
        "replicate": lambda places, last: places.clamp(0, last),
        "reflect": lambda places, last: last - (last - places.abs()).abs(),
    }
)


SHAPES: Mapping[str, Operation] = MappingProxyType(
    {
        "reshape": _reshape,
        "transpose": lambda given: given["x"].permute(given.integers("perm")),
        "expand_dims": _expand_dims,
        "squeeze": _squeeze,
        "concat": _concat,
        "stack": lambda given: torch.stack(given.tensors("values"), dim=given.integer("axis")),
        "split": _split,
        "slice_by_index": _slice_by_index,
        "slice_by_size": _slice_by_size,
        "gather": _gather,
        "pad": _pad,
        "tile": lambda given: given["x"].tile(given.integers("reps")),
        "fill": lambda given: torch.full(given.integers("shape"), given.number("value", 0.0)),
        "fill_like": lambda given: torch.full(tuple(given["ref_tensor"].shape), given.number("value", 0.0)),
    }
)
