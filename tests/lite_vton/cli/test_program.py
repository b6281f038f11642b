from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lite_vton.cli import main
from lite_vton.cli.program import app
from lite_vton.version import __version__

VERBS = (
    "demo", "doctor", "models", "formats", "data", "import", "train", "distill", "few-steps",
    "eval", "export", "verify", "inspect", "benchmark", "run",
)  # fmt: skip


def commands() -> Iterator[tuple[str, object]]:
    """Every command with its full name, groups opened."""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {key}", value) for key, value in inner.items())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom lite_vton.cli import main\nmain(['--help'])\n"
        "heavy = ('torch', 'onnx', 'cv2', 'onnxruntime', 'skia', 'rich')\n"
        "sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_without_spinning_unless_told_to(
    given: str | None, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    assert main(["--version"]) == 0
    assert os.environ["OMP_WAIT_POLICY"] == kept


def test_help_names_every_verb() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert all(re.search(rf"^  {verb} ", shown, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    shown = CliRunner().invoke(app, [verb, "--help"])
    assert shown.exit_code == 0
    assert f"Usage: lite-vton {verb}" in shown.output.replace("root", "lite-vton")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lite-vton {__version__}\n"


def test_the_installed_script_is_this_program() -> None:
    (script,) = entry_points(group="console_scripts", name="lite-vton")
    assert script.load() is main


def test_a_ctrl_c_caught_while_a_string_was_evaluated_does_not_replace_the_exit_code(tmp_path: Path) -> None:
    caught = """
        import runpy
        import lite_vton.cli

        def interrupted():
            try:
                exec("raise KeyboardInterrupt")
            except KeyboardInterrupt:
                return 130

        lite_vton.cli.main = interrupted
        runpy.run_module("lite_vton.cli", run_name="__main__")
    """
    (tmp_path / "caught.py").write_text(textwrap.dedent(caught), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "caught"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
    )
    assert done.returncode == 130, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["exprot"], "'export'"),
        (["models", "--jsn"], "--json"),
        (["run", "bundle"], "--person"),
        (["export", "tiny", "-o", "out", "--steps", "many"], "'--steps'"),
        (["data", "synthesise"], "'synthesize'"),
    ],
)
def test_a_slip_on_the_command_line_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_verbose_adds_the_trace_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--preset", "tiyn", "--verbose"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1] == "lite-vton: unknown preset 'tiyn': did you mean 'tiny'?"


def test_the_documentation_names_every_verb_and_flag() -> None:
    text = (Path(__file__).parents[3] / "docs/cli.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")}
    for name, command in commands():
        assert f"lite-vton {name}" in sections, f"docs/cli.md has no section 'lite-vton {name}'"
        # A switch's two words count as one: naming what turns it off says enough.
        flags = [{f for f in (*p.opts, *p.secondary_opts) if f.startswith("--")} for p in command.params]  # type: ignore[attr-defined]
        documented = set(re.findall(r"--[a-z][a-z0-9-]*", sections[f"lite-vton {name}"]))
        assert documented <= set().union(*flags), name
        assert [words for words in flags if words and not words & (documented | {"--help"})] == [], name
