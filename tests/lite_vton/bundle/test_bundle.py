from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_vton.atomic import claim
from lite_vton.bundle import (
    SCHEMA_VERSION,
    Artifact,
    Bundle,
    ComponentFiles,
    InputChannels,
    Manifest,
    ScheduleNumbers,
    Source,
    TensorSpec,
    confined,
    load_arrays,
    parse_manifest,
    record_files,
    schema,
    unet_channels,
    write_bundle,
    write_manifest,
    written_model,
)
from lite_vton.bundle.paths import is_confined
from lite_vton.errors import UserError
from lite_vton.presets.table import preset

ROOT = Path(__file__).parents[3]
TINY = preset("tiny")


def manifest(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "model": TINY,
        "source": Source(checkpoint="made for a test", sha256="0" * 64),
        "tools": {"python": "3"},
        "height": TINY.height,
        "width": TINY.width,
        "latent_scale": 1.5,
        "default_steps": 2,
        "default_sampler": "ddim",
        "unet_channels": unet_channels(TINY),
        "schedule": ScheduleNumbers(
            num_train_timesteps=600, beta_start=1e-3, beta_end=6e-3, timesteps=(599, 299), alphas_cumprod=(0.9, 0.8)
        ),
        "components": {},
        "artifacts": {},
        "files": {},
    }
    return Manifest.model_validate(fields | changes)


def write(target: Path, text: str = "weights", overwrite: bool = False) -> None:
    with write_bundle(target, overwrite) as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "file.bin").write_text(text)
        write_manifest(folder, manifest(files=record_files(folder)))


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("name", ["bundle", "bundle.zip", "new/folders/bundle"])
def test_what_is_written_opens_again_and_nothing_else_is_left(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    bundle = Bundle.open(tmp_path / name)
    assert bundle.path("deep/er/file.bin").read_text() == "weights"
    assert bundle.manifest == manifest(files=bundle.manifest.files)
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_the_extracted_copy_of_a_zip_goes_with_its_bundle(tmp_path: Path) -> None:
    write(tmp_path / "b.zip")
    bundle = Bundle.open(tmp_path / "b.zip")
    root = bundle.root
    assert root.is_dir()
    del bundle
    assert not root.exists()


def test_a_zip_of_the_folder_itself_opens_too(tmp_path: Path) -> None:
    write(tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "b").rglob("*"):
            archive.write(path, path.relative_to(tmp_path).as_posix())
    assert Bundle.open(tmp_path / "b.zip").path("deep/er/file.bin").read_text() == "weights"


def test_an_altered_byte_is_found_and_a_quick_open_passes_it(tmp_path: Path) -> None:
    write(tmp_path / "b")
    (tmp_path / "b/deep/er/file.bin").write_text("weighty")
    with pytest.raises(UserError, match=r"deep/er/file\.bin was altered") as error:
        Bundle.open(tmp_path / "b")
    one_line(error)
    Bundle.open(tmp_path / "b", check=False)


def test_a_cut_file_is_found_by_its_size(tmp_path: Path) -> None:
    write(tmp_path / "b")
    (tmp_path / "b/deep/er/file.bin").write_text("wei")
    with pytest.raises(UserError, match="has 3 bytes, its manifest says 7"):
        Bundle.open(tmp_path / "b")


@pytest.mark.parametrize("check", [True, False])
def test_a_missing_file_is_found(tmp_path: Path, check: bool) -> None:
    write(tmp_path / "b")
    (tmp_path / "b/deep/er/file.bin").unlink()
    with pytest.raises(UserError, match=r"deep/er/file\.bin is missing"):
        Bundle.open(tmp_path / "b", check=check)


def test_an_artifact_may_only_point_at_listed_files(tmp_path: Path) -> None:
    write(tmp_path / "b")
    artifact = Artifact(
        format="onnx",
        precision="fp32",
        components={"unet": ComponentFiles(model="onnx-fp32/unet/model.onnx", precision_found="fp32")},
    )
    files = record_files(tmp_path / "b")
    write_manifest(tmp_path / "b", manifest(files=files, artifacts={"onnx-fp32": artifact}))
    with pytest.raises(UserError, match="is not listed"):
        Bundle.open(tmp_path / "b")


def test_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    write(tmp_path / "b")
    data = json.loads((tmp_path / "b/manifest.json").read_text())
    (tmp_path / "b/manifest.json").write_text(json.dumps({**data, "schema_version": SCHEMA_VERSION + 1, "model": 0}))
    with pytest.raises(UserError, match="upgrade lite-vton") as error:
        Bundle.open(tmp_path / "b")
    one_line(error)


def test_unknown_fields_of_a_later_writer_are_passed_over() -> None:
    data = json.loads(manifest().model_dump_json())
    assert parse_manifest(json.dumps({**data, "later": 1}).encode(), "m") == manifest()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "does not describe a bundle"),
        (b'{"kind": "something else"}', "does not describe a bundle"),
        (b'{"kind": "lite-vton-bundle", "schema_version": 1}', "is wrong at model"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(text: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as error:
        parse_manifest(text, "manifest.json")
    one_line(error)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a", "x")
    for name, reason in {
        "": "is no bundle",
        "file": "neither a folder nor a zip",
        "other.zip": "is no bundle",
        "absent": "does not exist",
    }.items():
        with pytest.raises(UserError, match=reason):
            Bundle.open(tmp_path / name)


ESCAPES = ["../x", "/etc/passwd", "a/../../x", "a\\..\\x", "C:/x", "a//b", "./a", "a/.", "", ".", "a\x00b", " a", "a/"]


@pytest.mark.parametrize("path", ESCAPES)
def test_an_escaping_path_is_refused_everywhere(tmp_path: Path, path: str) -> None:
    with pytest.raises(UserError):
        confined(tmp_path, path)
    data = json.loads(manifest().model_dump_json())
    data["files"] = {path: {"sha256": "0" * 64, "bytes": 1}}
    with pytest.raises(UserError, match="leaves the bundle"):
        parse_manifest(json.dumps(data).encode(), "m")
    write(tmp_path / "b")
    with pytest.raises(UserError):
        Bundle.open(tmp_path / "b").path(path)


def test_a_link_out_of_the_bundle_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "b")
    (tmp_path / "secret").write_text("weights")
    file = tmp_path / "b/deep/er/file.bin"
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="link"):
        Bundle.open(tmp_path / "b")


def test_a_zip_that_escapes_or_swells_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "a") as archive:
        archive.writestr("../outside", "x")
    with pytest.raises(UserError, match="leaves the bundle"):
        Bundle.open(tmp_path / "b.zip")
    record = {"deep.bin": {"sha256": "0" * 64, "bytes": 10}}
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", manifest(files=record).model_dump_json())
        archive.writestr("deep.bin", b"\0" * 1_000_000)
    with pytest.raises(UserError, match="larger than its manifest says"):
        Bundle.open(tmp_path / "bomb.zip")


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "b.zip", "w" * 1000)
    data = bytearray((tmp_path / "b.zip").read_bytes())
    data[data.index(b"wwwww") + 5] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(UserError, match="damaged"):
        Bundle.open(tmp_path / "b.zip")


@pytest.mark.slow
@given(st.text(max_size=30))
def test_a_confined_path_stays_below_its_root(path: str) -> None:
    if is_confined(path):
        joined = os.path.normpath(f"/root/bundle/{path}")
        assert joined == f"/root/bundle/{path}"
        assert joined.startswith("/root/bundle/")


@given(st.lists(st.text("abc-_.0", min_size=1, max_size=5).filter(lambda s: s not in (".", "..")), min_size=1))
def test_ordinary_paths_are_confined(parts: list[str]) -> None:
    assert is_confined(str(PurePosixPath(*parts)))


numbers = st.floats(allow_nan=False, allow_infinity=False)
specs = st.builds(
    TensorSpec,
    name=st.text(max_size=8),
    shape=st.lists(st.integers(0, 512), max_size=4).map(tuple),
    dtype=st.sampled_from(["float32", "int64"]),
    range=st.none() | st.tuples(numbers, numbers),
    meaning=st.text(max_size=20),
)


@pytest.mark.slow
@given(
    tensors=st.lists(specs, max_size=3).map(tuple),
    scale=st.floats(1e-6, 1e6),
    tools=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_a_manifest_survives_its_json(tensors: tuple[TensorSpec, ...], scale: float, tools: dict[str, str]) -> None:
    written = manifest(latent_scale=scale, tools=tools, components={"unet": {"inputs": tensors, "outputs": tensors}})
    assert parse_manifest(written.model_dump_json().encode(), "m") == written


def test_the_channel_layout_follows_the_conditions() -> None:
    assert unet_channels(TINY) == (
        InputChannels(name="noisy_latent", start=0, stop=4),
        InputChannels(name="mask", start=4, stop=5),
        InputChannels(name="masked_person", start=5, stop=9),
        InputChannels(name="pose", start=9, stop=13),
    )


@pytest.mark.parametrize("channels", [4, 8])
@pytest.mark.parametrize("told", [TINY.unet.conditions, ("noisy_latent", "mask", "masked_person")])
def test_the_model_is_written_with_the_channels_of_its_conditions(channels: int, told: tuple[str, ...]) -> None:
    config = replace(
        TINY,
        autoencoder=replace(TINY.autoencoder, latent_channels=channels),
        unet=replace(TINY.unet, conditions=told),
    )
    text = manifest(model=config, unet_channels=unet_channels(config)).model_dump_json()
    assert json.loads(text)["model"] == written_model(config)
    assert written_model(config)["unet"]["conditions"] == [[name, 1 if name == "mask" else channels] for name in told]
    assert parse_manifest(text.encode(), "m").model == config


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([["noisy_latent", 4], ["mask", 1], ["pose", 8]], "told pose in 8 channels, with this autoencoder it is 4"),
        ([["noisy_latent", 4], ["mask", 2]], "told mask in 2 channels, with this autoencoder it is 1"),
        ([["noisy_latent", "many"]], "valid integer"),
        (["noisy_latent", "mask"], "valid array"),
        (None, "valid array"),
    ],
)
def test_conditions_that_contradict_the_autoencoder_are_refused(conditions: object, said: str) -> None:
    text = json.loads(manifest().model_dump_json())
    text["model"]["unet"]["conditions"] = conditions
    with pytest.raises(UserError, match=rf"m is wrong at model.*{said}") as error:
        parse_manifest(json.dumps(text).encode(), "m")
    one_line(error)


def test_an_existing_bundle_is_replaced_only_when_asked(tmp_path: Path) -> None:
    for name in ("b", "b.zip"):
        write(tmp_path / name, "old")
        with pytest.raises(UserError, match="--overwrite"):
            write(tmp_path / name, "new")
        assert Bundle.open(tmp_path / name).path("deep/er/file.bin").read_text() == "old"
        write(tmp_path / name, "new", overwrite=True)
        assert Bundle.open(tmp_path / name).path("deep/er/file.bin").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.zip"]


def test_a_bundle_whose_replacement_was_killed_between_two_renames_opens(tmp_path: Path) -> None:
    write(tmp_path / "b", "new")
    with claim(tmp_path / "b") as mine:
        workspace = mine.workspace
    workspace.mkdir()
    (workspace / "0.journal").write_text('{"target": "b", "new": "ready", "old": "gone"}')
    (tmp_path / "b").rename(workspace / "ready")
    assert Bundle.open(tmp_path / "b").path("deep/er/file.bin").read_text() == "new"
    assert list(tmp_path.iterdir()) == [tmp_path / "b"]


def test_a_manifest_of_another_program_marks_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "extension").mkdir()
    (tmp_path / "extension/manifest.json").write_text('{"manifest_version": 3}')
    with pytest.raises(UserError, match="is no bundle"):
        write(tmp_path / "extension", overwrite=True)
    assert (tmp_path / "extension/manifest.json").is_file()


def test_what_is_no_bundle_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.jpg").write_text("x")
    (tmp_path / "text").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    for name in ("photos", "text", "link"):
        with pytest.raises(UserError):
            write(tmp_path / name, overwrite=True)
    assert (tmp_path / "photos/one.jpg").read_text() == "x"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, OSError])
def test_an_exception_leaves_nothing_new_and_the_old_in_place(tmp_path: Path, error: type[BaseException]) -> None:
    write(tmp_path / "old", "old")
    for target in (tmp_path / "old", tmp_path / "made/for/this"):
        with pytest.raises(error), write_bundle(target, overwrite=True) as folder:  # noqa: PT012
            (folder / "half").write_text("x")
            raise error
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert Bundle.open(tmp_path / "old").path("deep/er/file.bin").read_text() == "old"


def test_a_folder_that_is_no_bundle_is_not_put_in_place(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no bundle"), write_bundle(tmp_path / "b") as folder:
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    code = """
        import resource, sys
        from lite_vton.bundle import write_bundle
        from lite_vton.errors import UserError
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with write_bundle(sys.argv[1]) as folder:
                (folder / "weights").write_bytes(bytes(5000))
        except UserError as error:
            print(error)
    """
    out, err = python(code, str(tmp_path / "b")).communicate(timeout=60)
    assert out.startswith("cannot write"), err
    assert out.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send an interrupt to one process")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    code = """
        import sys, time
        from lite_vton.bundle import write_bundle
        with write_bundle(sys.argv[1]) as folder:
            (folder / "weights").write_bytes(bytes(5000))
            print("ready", flush=True)
            while True:  # a signal just before one long sleep would be seen only at its end
                time.sleep(0.05)
    """
    process = python(code, str(tmp_path / "b"))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert list(tmp_path.iterdir()) != []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{"x": 1}], dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps({"a": 1}))
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("objects.npz", "plain.npz", "one.npy", "empty.npz"):
        with pytest.raises(UserError, match="no plain arrays"):
            load_arrays(tmp_path / name)
    np.savez(tmp_path / "good.npz", a=np.arange(3))
    assert load_arrays(tmp_path / "good.npz")["a"].tolist() == [0, 1, 2]


def test_the_published_schema_is_current() -> None:
    published = json.loads((ROOT / "docs/bundle.schema.json").read_text())
    assert published == schema(), "run: python -m lite_vton.bundle > docs/bundle.schema.json"
