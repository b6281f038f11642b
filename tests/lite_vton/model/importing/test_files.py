"""Tensors come out of every file users have, and nothing else does."""

from __future__ import annotations

import argparse
import collections
import json
import sys
import typing
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.model.importing.files import read_component, read_json, read_weights
from tests.lite_vton.model.poisoned import KINDS, RAN, poison, pretended

WEIGHTS = {"conv.weight": torch.arange(12.0).view(3, 4), "conv.bias": torch.ones(3)}


def is_read(file: Path) -> bool:
    found = read_weights(file)
    return found.keys() == WEIGHTS.keys() and all(torch.equal(found[name], WEIGHTS[name]) for name in found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_poisoned_checkpoint_is_refused_and_nothing_runs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"not run here|not a readable checkpoint") as caught:
        read_weights(poison(kind, WEIGHTS, tmp_path / "evil.ckpt"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / RAN).exists()


def test_a_module_with_a_trainers_name_is_never_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert is_read(poison("named as a trainer's", WEIGHTS, tmp_path / "last.ckpt"))
    assert not (tmp_path / RAN).exists()
    assert "omegaconf" not in sys.modules


@pytest.mark.parametrize("zipped", [True, False])
def test_settings_of_lightning_and_omegaconf_are_put_aside(zipped: bool, tmp_path: Path) -> None:
    names = ("omegaconf.base.ContainerMetadata", "omegaconf.dictconfig.DictConfig", "omegaconf.nodes.AnyNode")
    with pretended(*names, "pytorch_lightning.callbacks.ModelCheckpoint") as (metadata, config, node, callback):
        about = metadata()
        about.ref_type, about.object_type, about.element_type = typing.Any, dict, int
        about.resolver_cache = collections.defaultdict(dict)
        told = config()
        told._metadata, told._content, told._parent = about, {"lr": node()}, None
        content = {
            "state_dict": collections.OrderedDict(WEIGHTS),
            "hyper_parameters": told,
            "callbacks": {callback: {"best_model_score": np.float32(0.5), "dirpath": Path("runs")}},
            "hparams": argparse.Namespace(lr=1e-4),
            "epoch": 3,
        }
        torch.save(content, tmp_path / "epoch=3.ckpt", _use_new_zipfile_serialization=zipped)
    assert is_read(tmp_path / "epoch=3.ckpt")


def test_a_dictionary_of_lightnings_own_kind_is_put_aside(tmp_path: Path) -> None:
    with pretended("pytorch_lightning.utilities.parsing.Base"):
        module = sys.modules["pytorch_lightning.utilities.parsing"]
        attributes = type("AttributeDict", (dict,), {"__module__": module.__name__, "__qualname__": "AttributeDict"})
        module.AttributeDict = attributes  # type: ignore[attr-defined]
        torch.save({"state_dict": WEIGHTS, "hyper_parameters": attributes(lr=1e-4)}, tmp_path / "last.ckpt")
    assert is_read(tmp_path / "last.ckpt")


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "epoch": 1},
        {"model": WEIGHTS, "optimizer": {"step": torch.ones(1)}},
        {"module": {"state_dict": WEIGHTS}},
        {"model": {key: value + 1 for key, value in WEIGHTS.items()}, "ema": WEIGHTS},
        {name: torch.nn.Parameter(weight) for name, weight in WEIGHTS.items()},
    ],
)
def test_weights_are_found_in_whatever_trainers_put_them(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pth")
    assert is_read(tmp_path / "a.pth")


def test_the_weights_of_a_program_are_read_and_its_code_is_not(tmp_path: Path) -> None:
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    torch.jit.script(layer).save(str(tmp_path / "program.pt"))
    found = read_weights(tmp_path / "program.pt")
    assert found.keys() == layer.state_dict().keys()
    assert all(torch.equal(found[name], weight) for name, weight in layer.state_dict().items())


def test_an_archive_that_unfolds_is_refused(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "a.ckpt") as archive, zipfile.ZipFile(tmp_path / "b.ckpt", "w") as target:
        for entry in archive.infolist():
            target.writestr(entry.filename, archive.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="its content is compressed"):
        read_weights(tmp_path / "b.ckpt")


def test_a_blob_without_a_suffix_is_read(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "b10b")
    assert is_read(tmp_path / "b10b")


# Shards


def sharded(folder: Path, suffix: str, variant: str = "") -> Path:
    folder.mkdir()
    places = {}
    for number, (name, weight) in enumerate(WEIGHTS.items(), start=1):
        file = f"diffusion_pytorch_model{variant}-0000{number}-of-00002.{suffix}"
        save = save_file if suffix == "safetensors" else torch.save
        save({name: weight}, folder / file)  # type: ignore[operator]
        places[name] = file
    index = folder / f"diffusion_pytorch_model.{suffix}.index{variant}.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")
    return index


@pytest.mark.parametrize(("suffix", "variant"), [("bin", ""), ("bin", ".fp16"), ("safetensors", ".fp16")])
def test_shards_of_either_format_are_read(suffix: str, variant: str, tmp_path: Path) -> None:
    sharded(tmp_path / "unet", suffix, variant)
    assert read_component(tmp_path / "unet").keys() == WEIGHTS.keys()


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"conv.weight": "../x.bin"}, "names files outside its folder"),
        ({"conv.weight": "/etc/passwd"}, "names files outside its folder"),
        ({"conv.weight": ".."}, "names files outside its folder"),
        ({"conv.weight": "..\\x.bin"}, "names files outside its folder"),
        ({"conv.weight": "none.bin"}, "no file"),
        ({"other": "diffusion_pytorch_model-00001-of-00002.bin"}, "lacks other"),
        ({"conv.weight": 3}, "does not say which file"),
        ({}, "does not say which file"),
        ([], "does not say which file"),
    ],
)
def test_an_index_that_will_not_do_is_refused(places: object, said: str, tmp_path: Path) -> None:
    index = sharded(tmp_path / "unet", "bin")
    index.write_text(json.dumps({"weight_map": places}), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_component(tmp_path / "unet")


def test_a_weight_in_two_shards_is_refused(tmp_path: Path) -> None:
    sharded(tmp_path / "unet", "bin")
    torch.save(WEIGHTS, tmp_path / "unet/diffusion_pytorch_model-00002-of-00002.bin")
    with pytest.raises(UserError, match="and so does another shard"):
        read_component(tmp_path / "unet")


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "{", "version https://git-lfs.github.com/spec/v1\n", "\x00"])
def test_json_that_will_not_do_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_json(tmp_path / "config.json")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError):
        read_json(tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_json(tmp_path / "config.json") == {"a": 1}


# Hugging Face's cache


def cached(root: Path, name: str, *commits: str) -> Path:
    folder = root / f"models--{name.replace('/', '--')}"
    (folder / "blobs").mkdir(parents=True)
    for commit in commits:
        blob = folder / "blobs" / f"b{commit}"
        save_file(WEIGHTS, blob)
        snapshot = folder / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").symlink_to(Path("../../blobs") / blob.name)
    return folder


def test_the_cache_of_hugging_face_is_followed_to_its_snapshot(tmp_path: Path) -> None:
    model = cached(tmp_path / "hub", "owner/name", "abc")
    for path in (model, model / "snapshots", model / "snapshots/abc", tmp_path / "hub", tmp_path):
        assert checkpoint_at(path) == model / "snapshots/abc"
    assert is_read(checkpoint_at(model) / "model.safetensors")
    cached(tmp_path / "hub", "owner/other", "abc")
    with pytest.raises(UserError, match="a cache of 2 models"):
        checkpoint_at(tmp_path)


def test_of_several_snapshots_the_one_of_main_is_taken_or_asked_for(tmp_path: Path) -> None:
    model = cached(tmp_path, "owner/name", "abc", "def")
    with pytest.raises(UserError, match=r"2 snapshots \(abc, def\)"):
        checkpoint_at(model)
    (model / "refs").mkdir()
    (model / "refs/main").write_text("def\n", encoding="utf-8")
    assert checkpoint_at(model).name == "def"
    (model / "refs/main").write_text("../../../../etc", encoding="utf-8")
    with pytest.raises(UserError, match="2 snapshots"):
        checkpoint_at(model)


# Damage


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    torch.save({"state_dict": WEIGHTS, "epoch": 1}, folder / "a.ckpt")
    torch.save({"state_dict": WEIGHTS}, folder / "b.ckpt", _use_new_zipfile_serialization=False)
    save_file(WEIGHTS, folder / "c.safetensors")
    torch.jit.script(torch.nn.Conv2d(3, 4, 1)).save(str(folder / "d.pt"))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_one_line_or_nothing(data: st.DataObject, whole: dict[str, bytes], tmp_path: Path) -> None:
    name = data.draw(st.sampled_from(sorted(whole)))
    content = bytearray(whole[name])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / name
    file.unlink(missing_ok=True)  # an earlier example may be mapped
    file.write_bytes(content)
    said = ""
    try:
        read_weights(file)
    except UserError as error:
        said = str(error)
    assert "\n" not in said
