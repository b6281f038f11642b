"""Ends commands with SIGKILL at random moments, and looks at what is left.

Its long form is `python -m tests.reliability.kills --kills 300`.

Each command runs once undisturbed, so that everything is imported, then in a process forked for each kill; the last
rows are the program itself, started anew. A row of the table is a command, and says of how many kills an old output
was lost, something half-written lay under the output's name, the same command then failed, or it left litter.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.atomic import is_vacant
from lite_vton.cli import main as lite_vton
from lite_vton.data.drawn.dataset import synthesize
from tests.lite_vton.data.ccp.drawn_source import drawn, write_source

Words = tuple[str, ...]

EXPORT: Words = ("export", "tiny", "--precision", "fp32", "--steps", "1", "-o", "OUT")
IMPORTED = ("mediapipe", "cv2", "onnxruntime", "lite_vton.data.ccp.conversion", "lite_vton.cli.verbs.data.conversion")
"""What is imported for the commands that cannot run here first."""
LATE = 0.85
"""Of a command's time; what is placed is placed after it."""
LONGEST_S = 600
"""A command that takes longer hangs, and is ended."""


@dataclass(frozen=True)
class Command:
    """A command to kill. OUT in its words is the output; `old` makes an earlier one there, `again` goes on with a part.

    `content` is a digest of a whole output, and raises for one that is not. `share` is its part of all kills, and
    `programs` how many more there are of the program itself. `parts` says that the output is filled part by part, which
    another command goes on with. `late` sends half of the kills to the end, where outputs take their places.
    `is_forked_fresh` is for MediaPipe, which aborts in a fork of a process that has used it.
    """

    name: str
    words: Words
    content: Callable[[Path], str]
    share: int
    output: str = "out"
    old: Words = ()
    again: Words = ()
    makes: tuple[str, ...] = ()
    parts: bool = False
    late: bool = False
    is_forked_fresh: bool = False
    programs: int = 0


@dataclass
class Found:
    """What became of the kills of one command."""

    kills: int = 0
    lost: int = 0
    half: int = 0
    failed: int = 0
    litter: int = 0

    @property
    def faults(self) -> int:
        return self.lost + self.half + self.failed + self.litter


def digest_of_files(path: Path) -> str:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    total = hashlib.sha256()
    for file in files:
        total.update(str(file.relative_to(path)).encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def dataset(path: Path) -> str:
    from lite_vton.data.viton_hd import VitonHD

    pairs = VitonHD(path, "train", height=96, width=72)
    assert all(pairs[index].name for index in range(len(pairs)))
    return digest_of_files(path)


def picture(path: Path) -> str:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
    return digest_of_files(path)


def sheet(path: Path) -> str:
    report = path.with_suffix(".json")
    if report.exists():
        json.loads(report.read_text())
    return picture(path)


def bundle(path: Path) -> str:
    from lite_vton.bundle import Bundle

    opened = Bundle.open(path)
    return opened.manifest.files["golden/trajectory.npz"].sha256


def verified(path: Path) -> str:
    report = json.loads((path / "verify.json").read_text())
    assert report["passed"] is True
    return bundle(path)


def trained(path: Path) -> str:
    return digest_of_files(path / "autoencoder.safetensors") + digest_of_files(path / "unet.safetensors")


def commands(given: Path) -> list[Command]:
    """All commands; `given` holds a tiny bundle and a drawn dataset."""
    pair = given / "drawn/train"
    name = "00000_00"
    photos = (
        "--person", f"{pair}/image/{name}.jpg", "--garment", f"{pair}/cloth/{name}.jpg",
        "--garment-mask", f"{pair}/cloth-mask/{name}.jpg", "--keypoints", f"{pair}/openpose_json/{name}_keypoints.json",
    )  # fmt: skip
    run = ("run", str(given / "bundle"), *photos, "--steps", "1", "-o", "OUT")
    folders = ("--persons", str(given / "people"), "--garments", str(given / "garments"))
    sheets = ("sheet", str(given / "bundle"), *folders, "--steps", "1", "-o", "OUT")
    draw = ("data", "synthesize", "--pairs", "3", "--height", "96", "--width", "72", "--workers", "1", "-o", "OUT")
    train = ("train", "tiny", "--data", str(given / "drawn"), "--steps", "4", "--batch-size", "2", "-o", "OUT")
    ccp = ("data", "ccp", str(given / "ccp"), "-o", "OUT", "--height", "128", "--width", "96", "--workers", "1")
    once_more, other, old = "--overwrite", ("--seed", "1"), ("copy", str(given / "bundle"))
    return [
        Command("data synthesize", draw, dataset, 40),
        Command("data synthesize --overwrite", (*draw, once_more), dataset, 60, old=(*draw, *other), programs=3),
        Command("run", run, picture, 30, "out.png", is_forked_fresh=True),
        Command("run --overwrite", (*run, once_more), picture, 40, "out.png", old=(*run, *other), programs=3,
                is_forked_fresh=True),
        Command("sheet", sheets, sheet, 20, "out.png", makes=("out.json",), again=(*sheets, once_more), programs=2,
                is_forked_fresh=True),
        Command("verify", ("verify", "OUT"), verified, 30, old=old, programs=3),
        Command("train", train, trained, 30, again=(*train, "--resume"), parts=True, programs=2),
        Command("data ccp", ccp, digest_of_files, 15, again=ccp, parts=True, is_forked_fresh=True),
        Command("export", EXPORT, bundle, 8, late=True),
        Command("export, zip", EXPORT, bundle, 7, "out.zip", late=True),
        Command("export --overwrite", (*EXPORT, once_more), bundle, 10, old=old, late=True, programs=1),
        Command("export --overwrite, zip", (*EXPORT, once_more), bundle, 10, "out.zip",
                old=("copy", str(given / "bundle.zip")), late=True),
    ]  # fmt: skip


def prepare(folder: Path, wanted: Sequence[str]) -> None:
    if any(not name.startswith("data synthesize") for name in wanted):
        for module in IMPORTED:
            import_module(module)
    synthesize(folder / "drawn", 4, seed=3, test_share=0.25)
    for kind, source in (("people", "image"), ("garments", "cloth")):
        (folder / kind).mkdir()
        shutil.copy(folder / f"drawn/train/{source}/00000_00.jpg", folder / kind)
    if "data ccp" in wanted:
        write_source(folder / "ccp", {index + 1: street_photo(index) for index in range(2)})
    if any(is_of_a_bundle(name) for name in wanted):
        run_here((*worded(EXPORT, folder / "bundle"), "--seed", "1"))
        shutil.make_archive(str(folder / "bundle"), "zip", folder / "bundle")


def is_of_a_bundle(name: str) -> bool:
    return not name.startswith(("data", "train"))


def street_photo(index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pair, labels = drawn(index)
    return pair.person, labels


def run_here(words: Sequence[str]) -> None:
    """The command in this process, which then has imported what it needs."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = lite_vton(list(words))
    assert code == 0, said.getvalue()


def start(words: Sequence[str], as_program: bool = False) -> int:
    """The command in a process of its own, forked from this one or started anew."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            signal.alarm(LONGEST_S)
            said = os.open(said_in(), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            for descriptor in (1, 2):
                os.dup2(said, descriptor)
            if as_program:
                os.execv(sys.executable, [sys.executable, "-m", "lite_vton.cli", *words])
            code = lite_vton(list(words))
        finally:
            os._exit(code)
    return child


def said_in() -> Path:
    """Where the last command's own words are."""
    return Path(tempfile.gettempdir()) / "said.txt"


def finish(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def worded(words: Words, output: Path) -> list[str]:
    return [str(output) if word == "OUT" else word for word in words]


def make_old(command: Command, output: Path) -> None:
    if command.old[:1] == ("copy",):
        source = Path(command.old[1])
        (shutil.copytree if source.is_dir() else shutil.copy)(source, output)
    elif command.old:
        assert finish(start(worded(command.old, output))) == 0


def try_kills(command: Command, kills: int, root: Path, draw: random.Random, as_program: bool = False) -> Found:
    """Kill the command `kills` times, each in a folder of its own, and look at what became of it."""
    first = root / "old" / command.output
    first.parent.mkdir(parents=True)
    make_old(command, first)
    old = command.content(first) if command.old else None
    if not as_program and not command.is_forked_fresh:
        shutil.copytree(first.parent, root / "here")
        run_here(worded(command.words, root / "here" / command.output))
    shutil.copytree(first.parent, root / "whole")
    whole = root / "whole" / command.output
    began = time.monotonic()
    code = finish(start(worded(command.words, whole), as_program))
    assert code == 0, f"{command.name}: exit {code}: {said_in().read_text()}"
    seconds = time.monotonic() - began
    new = command.content(whole)

    found = Found()
    for attempt in range(3 * kills):
        if found.kills == kills:
            break
        folder = root / f"kill-{attempt}"
        shutil.copytree(first.parent, folder)
        output = folder / command.output
        earliest = LATE if command.late and attempt % 2 else 0
        child = start(worded(command.words, output), as_program)
        time.sleep(seconds * draw.uniform(earliest, 1))
        os.killpg(child, signal.SIGKILL) if os.getpgid(child) == child else os.kill(child, signal.SIGKILL)
        if finish(child) == -signal.SIGKILL:
            found.kills += 1
            look(command, output, old, new, found, as_program)
        shutil.rmtree(folder)
    return found


def look(command: Command, output: Path, old: str | None, new: str, found: Found, as_program: bool) -> None:
    """Count what is wrong after a kill, and after the command that repairs it."""
    try:
        now = command.content(output) if output.exists() and not command.parts else None
        found.half += now not in {None, old, new}
        found.lost += now is None and old is not None
    except (OSError, ValueError, KeyError, AssertionError):
        found.half += 1
    words = command.words
    is_begun = not is_vacant(output) if output.is_dir() else output.exists() or output.with_suffix(".json").exists()
    if command.again and is_begun:
        words = command.again
    elif output.exists() and not command.old and command.content(output) == new:
        return  # killed at its very end: the same command would be told that the output exists
    code = finish(start(worded(words, output), as_program))
    right = code == 0 and command.content(output) == new
    found.failed += not right
    left = {file.name for file in output.parent.iterdir()} - {command.output, *command.makes}
    left |= {file.name for file in output.parent.rglob(".lite-vton-*")}
    found.litter += bool(left)
    if not right or left:
        print(f"{command.name}: exit {code}, left {sorted(left)}: {said_in().read_text()}", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="in all, of forks")
    parser.add_argument("--only", default="", help="commands whose names begin so, comma-separated")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--no-programs", action="store_true", help="forks alone")
    arguments = parser.parse_args()
    faults = total = 0
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as traces:
        root = Path(temporary)
        (root / "scratch").mkdir()
        tempfile.tempdir = os.environ["TMPDIR"] = str(root / "scratch")  # of what is killed
        listed = [command for command in commands(root) if command.name.startswith(tuple(arguments.only.split(",")))]
        if any(is_of_a_bundle(command.name) for command in listed):
            from tests.traced_once import traced_once

            traces.enter_context(traced_once(root / "traced"))  # forks take traces over, most of an export's time
        prepare(root, [command.name for command in listed])
        shares = sum(command.share for command in listed)
        rows = [(command, max(1, round(arguments.kills * command.share / shares)), False) for command in listed]
        if not arguments.no_programs:
            rows += [(command, command.programs, True) for command in listed if command.programs]
        print(
            "| command | kills | lost | half-written | failed then | litter | s |\n|---|---:|---:|---:|---:|---:|---:|"
        )
        for number, (command, kills, as_program) in enumerate(rows):
            draw, began = random.Random(f"{arguments.seed} {number}"), time.monotonic()
            found = try_kills(command, kills, root / str(number), draw, as_program)
            faults, total = faults + found.faults, total + found.kills
            name, seconds = command.name + " (program)" * as_program, round(time.monotonic() - began)
            cells = (name, found.kills, found.lost, found.half, found.failed, found.litter, seconds)
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    print(f"{total} kills, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
