"""What recipes keep between two starts is taken as it was written, or refused with what to delete."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lite_vton.errors import UserError
from lite_vton.presets.table import preset
from lite_vton_training.dataset.drawn import held_out_pictures
from lite_vton_training.dataset.latents import LatentPairs, kept_pairs
from lite_vton_training.loop.kept_arrays import kept_pictures
from lite_vton_training.reproduce.results import read_results

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda own: own[: len(own) // 2],
    "a byte": lambda own: own[: len(own) // 3] + bytes([own[len(own) // 3] ^ 1]) + own[len(own) // 3 + 1 :],
    "something else": lambda _: b"\x80\x04}\x94." * 10,
}


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        read()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_pictures_are_refused(damage: str, tmp_path: Path) -> None:
    config = preset("tiny")
    made = held_out_pictures(tmp_path, 1, config)
    kept = held_out_pictures(tmp_path, 1, config)
    assert all(np.array_equal(a, b) for a, b in zip(vars(made).values(), vars(kept).values(), strict=True))
    file = tmp_path / "held-out.npz"
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert "held-out.npz" in refusal(lambda: held_out_pictures(tmp_path, 1, config))


@pytest.mark.parametrize(
    "arrays",
    [
        {"pictures": np.zeros((1, 8, 6, 3), np.uint8)},
        dict.fromkeys(("person", "masked_person", "pose", "mask", "garment"), np.zeros((), np.uint8)),
        dict.fromkeys(("person", "masked_person", "pose", "mask", "garment"), np.zeros((1, 8, 6, 3), np.float32)),
    ],
)
def test_pictures_of_something_else_are_refused(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    np.savez(tmp_path / "held-out.npz", **arrays)
    assert "delete it" in refusal(lambda: held_out_pictures(tmp_path, 1, preset("tiny")))


def test_a_trials_pictures_are_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "pictures.npz", pictures=np.zeros((2, 8, 6, 3), np.uint8))
    assert kept_pictures(tmp_path / "pictures.npz").shape == (2, 8, 6, 3)
    np.savez(tmp_path / "pictures.npz", pictures=np.zeros((2, 8, 6, 3)))
    assert "delete it" in refusal(lambda: kept_pictures(tmp_path / "pictures.npz"))
    np.savez(tmp_path / "pictures.npz", pictures=np.array([{}], dtype=object))
    assert "delete it" in refusal(lambda: kept_pictures(tmp_path / "pictures.npz"))


@pytest.fixture
def latents(tmp_path: Path) -> Path:
    file = tmp_path / "latents.safetensors"
    kept_pairs(file, lambda: LatentPairs(*(torch.ones(2, channels, 4, 3) for channels in (4, 1, 4, 4))))
    return file


def never() -> LatentPairs:
    raise AssertionError("they are kept")


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "a byte"])
def test_damaged_latents_are_refused(damage: str, latents: Path) -> None:
    assert kept_pairs(latents, never).x_0.shape == (2, 4, 4, 3)
    latents.write_bytes(DAMAGES[damage](latents.read_bytes()))
    assert "delete it" in refusal(lambda: kept_pairs(latents, never))


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("pose"),
        lambda tensors: tensors.update(more=torch.ones(2)),
        lambda tensors: tensors["x_0"].fill_(float("nan")),
        lambda tensors: tensors.update(mask=torch.ones(1, 1, 4, 3)),
        lambda tensors: tensors.update(mask=torch.ones(())),
        lambda tensors: tensors.update(mask=torch.ones(2, 1, 4, 3, 1)),
        lambda tensors: tensors.update(pose=torch.ones(2, 4, 3, 4)),
        lambda tensors: tensors.update(x_0=torch.ones(2, 4)),
        lambda tensors: tensors.update(tokens=torch.ones(2, 4)),
        lambda tensors: tensors.update(pose=torch.ones(2, 4, 4, 3, dtype=torch.int64)),
    ],
)
def test_latents_of_something_else_are_refused(change: Callable[..., object], latents: Path) -> None:
    tensors = load_file(latents)
    change(tensors)
    save_file(tensors, latents)
    assert "delete it" in refusal(lambda: kept_pairs(latents, never))


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"row": {}}), json.dumps({"figures": 3})])
def test_a_damaged_result_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "caad/0/result.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert "delete it" in refusal(lambda: read_results(tmp_path, ["caad"]))
