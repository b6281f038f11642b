from __future__ import annotations

import errno
import tomllib
from pathlib import Path

import pytest

from lite_vton import BACKENDS
from lite_vton.cli.failures import describe
from lite_vton.errors import StoppedError, UserError
from lite_vton.workflows.extras import BACKEND_NEEDS, DISTRIBUTIONS, EXTRA_OF


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("two\n lines"), 2, "two lines"),
        (KeyboardInterrupt(), 130, "stopped; nothing was written"),
        (StoppedError("stopped; go on with --resume"), 130, "--resume"),
        (ModuleNotFoundError("No module named 'skia'", name="skia"), 2, "pip install 'lite-vton[data]'"),
        (ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"), 2, "pip install 'lite-vton[export]'"),
        (OSError(errno.ENOSPC, "No space left on device", "out.png"), 2, "out.png: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/root"), 2, "Permission denied"),
        (FloatingPointError("the loss of step 3 is nan: lower the learning rate"), 1, "lower the learning rate"),
        (MemoryError(), 2, "out of memory"),
    ],
)
def test_what_a_user_can_meet_is_one_line(error: BaseException, code: int, said: str) -> None:
    failure = describe(error)
    assert failure is not None
    assert failure.exit_code == code
    assert said in failure.line
    assert "\n" not in failure.line


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ModuleNotFoundError("x", name="lite_vton.nothing")])
def test_a_defect_of_ours_keeps_its_trace(error: Exception) -> None:
    assert describe(error) is None


def test_a_failed_check_exits_1() -> None:
    from lite_vton_export.verify.run import Report, VerificationError

    failure = describe(VerificationError("onnx-fp16 failed verification", Report(())))
    assert failure is not None
    assert failure.exit_code == 1


def test_the_extras_named_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for module, extra in EXTRA_OF.items():
        wanted = DISTRIBUTIONS.get(module, module)
        assert any(line.startswith(wanted) for line in project["optional-dependencies"][extra]), module


def test_every_backend_says_what_it_needs() -> None:
    assert set(BACKEND_NEEDS) == set(BACKENDS)
