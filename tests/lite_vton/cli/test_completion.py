from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lite_vton.cli import main, program
from lite_vton.workflows.names import completing
from tests.lite_vton.cli.test_program import commands


def completed(line: str, shell: str = "bash") -> list[str]:
    """What the shell offers at the end of a line, asked as the installed completion asks."""
    words = line.split(" ")
    asked = {"_LITE_VTON_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    program = """
import sys
from lite_vton.cli import main
try:
    main()
finally:
    assert not {"torch", "onnx", "cv2", "rich"} & set(sys.modules)
"""
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | asked, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    return shown.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lite-vton exp", {"export"}),
        ("lite-vton export tiny-t", {"tiny-teacher"}),
        ("lite-vton export tiny --format onnx,op", {"onnx,openvino"}),
        ("lite-vton run bundle --backend onnx", {"onnxruntime"}),
    ],
)
def test_a_shell_is_offered_the_names_there_are(line: str, offered: set[str]) -> None:
    assert set(completed(line)) == offered


@pytest.mark.parametrize(
    ("kind", "begun", "offered"),
    [
        ("sampler", "dd", ["ddpm", "ddim"]),
        ("sampler", "dpm", ["dpmsolver++"]),
        ("precision", "fp16,in", ["fp16,int8"]),
        ("distillation", "caad-l", ["caad-local"]),
        ("layout", "paint", ["paint-by-example"]),
        ("preset", "zzz", []),
    ],
)
def test_names_are_completed_from_their_tables_the_last_after_a_comma(
    kind: str, begun: str, offered: list[str]
) -> None:
    assert completing(kind)(begun) == offered


def test_a_script_for_the_shell_that_one_types_in_is_shown() -> None:
    program = Path(sys.executable).with_name("lite-vton")
    typed = f"{program} --show-completion; exit $?"  # a shell with one command makes way for it
    shown = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "_LITE_VTON_COMPLETE=complete_bash" in shown.stdout


def numbers() -> Iterator[tuple[str, Any]]:
    """Every option that takes a number, after its command's name."""
    for name, command in commands():
        for option in command.params:  # type: ignore[attr-defined]
            if option.type_descriptor.annotation in (int, float):
                yield name, option


def test_every_number_has_bounds_and_none_of_them_is_not_a_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "app", typer.main.get_command(program.app))  # made once, not for every command
    found = list(numbers())
    assert len(found) > 30
    for name, option in found:
        flag = option.opts[0]
        if flag == "--steps" and option.default is None:  # the noise schedule's to say, which is the model's
            continue
        assert option.min is not None, (name, flag)
        assert option.max is not None, (name, flag)
        assert math.isfinite(option.max), (name, flag)
        for word in ("nan", "inf", "-inf", "1e400", "-1", "99999999999999999999999999", "ten"):
            assert main([*name.split(), flag, word]) == 2, (name, flag, word)
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1), (name, flag, word, err)
            assert flag in err or "Missing" in err, (name, flag, word, err)
