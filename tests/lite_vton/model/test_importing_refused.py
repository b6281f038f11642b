"""What cannot be imported is refused in one line, and nothing in it is ever run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lite_vton.errors import UserError
from lite_vton.model.importing.networks import import_networks
from lite_vton.presets.table import preset
from tests.lite_vton.model.their_checkpoints import (
    CLIP,
    PLAIN,
    distance,
    original,
    pipeline,
    their_unet,
    without_cross_attention,
    write,
)


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


@pytest.mark.slow
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


@pytest.mark.slow
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
