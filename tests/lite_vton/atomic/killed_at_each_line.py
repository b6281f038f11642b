"""Ends a process with SIGKILL at each line that writing executes in turn, and looks at what is left every time.

Run as a process of its own: it has one thread, so that it can fork for each line. Its words: a folder to work in,
file or folder, new or existing, exchange or journal, and how many lines lie between two kills.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from lite_vton import atomic
from lite_vton.atomic import placing

_TRACED = (str(Path(atomic.__file__).parent), shutil.__file__)


def write_file(target: Path, content: str) -> None:
    with atomic.whole_file(target) as draft:
        draft.write_text(content)


def write_folder(target: Path, content: str) -> None:
    with atomic.whole_folder(target, lambda folder: (folder / "mark").is_file()) as draft:
        for name in ("mark", "one", "two"):
            (draft / name).write_text(content)


def content_of(target: Path) -> str | None:
    """What is there; None for nothing. A content that is half old and half new is an error."""
    atomic.complete(target)
    if not target.exists():
        return None
    files = [target] if target.is_file() else sorted(target.iterdir())
    assert target.is_file() or [file.name for file in files] == ["mark", "one", "two"], files
    (found,) = {file.read_text() for file in files}
    return found


def killed_at(line: int, work: Callable[[], None]) -> bool:
    """Whether `work` was killed before it had executed so many lines, in a process of its own."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.startswith(_TRACED):
                return None
            if event == "line":
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WIFSIGNALED(status), status
    return os.WIFSIGNALED(status)


def main(root: Path, kind: str, exists: bool, stride: int) -> int:
    """How many kills were tried, one at every `stride`th line."""
    write = {"file": write_file, "folder": write_folder}[kind]
    line = 0
    while True:
        folder = root / str(line)
        folder.mkdir()
        target = folder / "output"
        if exists:
            write(target, "old")
        killed = killed_at(line, lambda target=target: write(target, "new"))
        found = content_of(target)
        assert found in ({"old", "new"} if exists else {None, "new"}), f"line {line}: {found}"
        assert killed or found == "new"
        write(target, "third")
        assert content_of(target) == "third"
        assert list(folder.iterdir()) == [target], f"line {line}: {list(folder.iterdir())}"
        shutil.rmtree(folder)
        if not killed:
            return line // stride
        line += stride


if __name__ == "__main__":
    os.fsync = lambda _: None  # type: ignore[assignment]  # the process ends, not the machine
    if sys.argv[4] == "journal":
        placing.exchange = lambda *_: False  # type: ignore[attr-defined]  # as on a file system that cannot
    print(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "existing", int(sys.argv[5])))
