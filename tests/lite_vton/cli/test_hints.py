"""Every command that is printed for people to type works when it is pasted."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from lite_vton.bundle import Bundle
from lite_vton.cli import main, next_steps
from lite_vton.cli.program import app
from lite_vton.messages.commands import command, how_to_add
from lite_vton.workflows.import_model import training_command

NAMES = ("plain", "it's  a bundle", "-dash", 'quo"te$HOME', "ünï ✓")
FOLDERS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


def understood(line: str) -> list[str]:
    """The words a shell makes of a line, which the program has to understand."""
    program, *words = shlex.split(line)
    assert program == "lite-vton"
    group = typer.main.get_command(app)
    verb, *rest = words
    inner = group.commands[verb]  # type: ignore[attr-defined]
    inner.make_context(verb, list(rest))
    return words


def next_line(shown: str) -> str:
    (line,) = re.findall(r"^next: (.*)$", shown, re.MULTILINE)
    return str(line)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_to_be_next_is_about_the_same_bundle_whatever_its_name(
    name: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(bundle, tmp_path / name)
    assert main(["inspect", f"./{name}"]) == 0
    words = understood(next_line(capsys.readouterr().out))
    assert words[0] == "verify"
    assert Path(words[1]).resolve() == tmp_path / name
    for line in (next_steps.benchmark_command(Path(name)), next_steps.export_command(Path(name))):
        assert Path(understood(line)[1]).resolve() == tmp_path / name
    next_steps.say_your_own_photos(Path(name))
    assert Path(understood(capsys.readouterr().out.partition(": ")[2])[1]).resolve() == tmp_path / name
    assert main(["run", f"./{name}", "--person", "a", "--garment", "b", "-o", "c.png", "--backend", "openvino"]) == 2
    (line,) = re.findall(r"`(lite-vton .*)`", capsys.readouterr().err)
    assert main([*understood(line), "--dry-run"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[0]).resolve() == tmp_path / name


@pytest.mark.slow
def test_what_follows_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == 0
    for verb in ("doctor", "models"):
        words = understood(next_line(capsys.readouterr().out))
        assert words == [verb]
        assert main(words) == 0
    assert main([*understood(next_line(capsys.readouterr().out)), "--dry-run"]) == 0
    for line in (
        next_steps.training_command(Path("some data")),
        training_command("teacher", Path("a run")),
        command("distill", "demo", "--teacher", Path("a run"), "--data", "DATA", "-o", "RUN"),
    ):
        understood(line)


def test_of_a_zip_the_zip_itself_is_named(bundle: Path, tmp_path: Path) -> None:
    zipped = Path(shutil.make_archive(str(tmp_path / "my bundle"), "zip", bundle))
    opened = Bundle.open(zipped, check=False)
    (line,) = re.findall(r"`(lite-vton .*)`", how_to_add(opened, "openvino", "fp32"))
    assert understood(line)[1] == str(zipped)
    report = understood(next_steps.benchmark_command(zipped))[-1]
    assert report == str(tmp_path / "my bundle-benchmark")


def test_no_command_is_named_where_none_would_do(bundle: Path) -> None:
    opened = Bundle.open(bundle, check=False)
    bare = opened.manifest.model_copy(update={"weights": None})
    imported = Bundle(opened.root, bare)
    assert "--format openvino" in how_to_add(imported, "openvino", "fp32")
    for format, precision in (("coreai", None), ("coreml", "fp16"), ("onnx", "int8")):
        assert "weights" in how_to_add(imported, format, precision)
    assert (
        how_to_add(Bundle(opened.root, bare.model_copy(update={"artifacts": {}})), "onnx") == "export the model itself"
    )


def test_what_is_made_from_weights_alone_is_known_without_the_exporter() -> None:
    from lite_vton.messages import commands
    from lite_vton_export.formats import FORMATS

    alone = {name for name, row in FORMATS.items() if not row.from_onnx}
    calibrated = {precision for row in FORMATS.values() for precision in row.calibrated}
    assert alone | calibrated == commands._FROM_WEIGHTS


@given(FOLDERS)
def test_a_shell_takes_any_path_as_one_word_and_never_as_an_option(name: str) -> None:
    words = shlex.split(command("verify", Path(name)))
    assert words[:2] == ["lite-vton", "verify"]
    assert len(words) == 3
    assert Path(words[2]) == Path(name)
    assert not words[2].startswith("-")
