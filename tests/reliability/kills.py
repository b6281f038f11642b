"""Ends commands with SIGKILL at random moments, and looks at what is left.

Its long form is `python -m tests.reliability.kills --kills 300`.

Everything is imported once; each command then runs in a process forked for it. A row of the table is a command, and
says of how many kills an old output was lost, something half-written lay under the output's name, the same command
then failed, or it left litter.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lite_vton.atomic import is_vacant
from lite_vton.cli import main as lite_vton
from lite_vton.data.synthetic import synthesize

Words = tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A command to kill. OUT in its words is the output; `old` makes an earlier one there, `again` goes on with a part.

    `content` is a digest of a whole output, and raises for one that is not. `share` is its part of all kills.
    """

    name: str
    words: Words
    content: Callable[[Path], str]
    share: int
    output: str = "out"
    old: Words = ()
    again: Words = ()
    makes: tuple[str, ...] = ()


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
    """Of a run that is not finished, nothing is expected but that it can be gone on with."""
    files = [path / "autoencoder.safetensors", path / "unet.safetensors"]
    return "".join(digest_of_files(file) for file in files if file.is_file())


def commands(given: Path) -> list[Command]:
    """All commands; `given` holds a tiny bundle and a drawn dataset."""
    pair = given / "drawn/train"
    name = "00000_00"
    photos = (
        "--person", f"{pair}/image/{name}.jpg", "--garment", f"{pair}/cloth/{name}.jpg",
        "--garment-mask", f"{pair}/cloth-mask/{name}.jpg", "--keypoints", f"{pair}/openpose_json/{name}_keypoints.json",
    )  # fmt: skip
    run = ("run", str(given / "bundle"), *photos, "--steps", "1", "-o", "OUT")
    sheets = ("sheet", str(given / "bundle"), "--persons", str(given / "people"))
    sheets = (*sheets, "--garments", str(given / "garments"), "--steps", "1", "-o", "OUT")
    draw = ("data", "synthesize", "--pairs", "3", "--height", "96", "--width", "72", "--workers", "1", "-o", "OUT")
    export = ("export", "tiny", "--precision", "fp32", "--steps", "1", "-o", "OUT")
    train = ("train", "tiny", "--data", str(given / "drawn"), "--steps", "8", "--batch-size", "2", "-o", "OUT")
    once_more, other = "--overwrite", ("--seed", "1")
    return [
        Command("data synthesize", draw, dataset, 40),
        Command("data synthesize --overwrite", (*draw, once_more), dataset, 60, old=(*draw, *other)),
        Command("run", run, picture, 30, "out.png"),
        Command("run --overwrite", (*run, once_more), picture, 40, "out.png", old=(*run, *other)),
        Command("sheet", sheets, sheet, 20, "out.png", makes=("out.json",), again=(*sheets, once_more)),
        Command("verify", ("verify", "OUT"), verified, 30, old=("copy", str(given / "bundle"))),
        Command("train", train, trained, 30, again=(*train, "--resume")),
        Command("export", export, bundle, 10),
        Command("export --overwrite", (*export, once_more), bundle, 15, old=("copy", str(given / "bundle"))),
        Command("export, zip", export, bundle, 10, "out.zip"),
        Command("export --overwrite, zip", (*export, once_more), bundle, 15, "out.zip",
                old=("copy", str(given / "bundle.zip"))),
    ]  # fmt: skip


def prepare(folder: Path, wanted: Sequence[str]) -> None:
    synthesize(folder / "drawn", 4, seed=3, test_share=0.25)
    for kind, source in (("people", "image"), ("garments", "cloth")):
        (folder / kind).mkdir()
        shutil.copy(folder / f"drawn/train/{source}/00000_00.jpg", folder / kind)
    if any(not name.startswith(("data", "train")) for name in wanted):
        words = ("export", "tiny", "--precision", "fp32", "--steps", "1", "--seed", "1", "-o", str(folder / "bundle"))
        assert finish(start(words)) == 0
        shutil.make_archive(str(folder / "bundle"), "zip", folder / "bundle")


def start(words: Sequence[str]) -> int:
    """The command in a process of its own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(nothing, descriptor)
        code = 70
        try:
            code = lite_vton(list(words))
        finally:
            os._exit(code)
    return child


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


def try_kills(command: Command, kills: int, root: Path, draw: random.Random) -> Found:
    whole = root / "whole" / command.output
    whole.parent.mkdir(parents=True)
    make_old(command, whole)
    old = command.content(whole) if command.old else None
    began = time.monotonic()
    assert finish(start(worded(command.words, whole))) == 0, command.name
    seconds = time.monotonic() - began
    new = command.content(whole)
    first = root / "old" / command.output
    first.parent.mkdir()
    make_old(command, first)

    found = Found()
    for attempt in range(3 * kills):
        if found.kills == kills:
            break
        folder = root / f"kill-{attempt}"
        shutil.copytree(first.parent, folder)
        output = folder / command.output
        child = start(worded(command.words, output))
        time.sleep(draw.uniform(0, seconds))
        os.killpg(child, signal.SIGKILL) if os.getpgid(child) == child else os.kill(child, signal.SIGKILL)
        if finish(child) != -signal.SIGKILL:
            shutil.rmtree(folder)
            continue
        found.kills += 1
        look(command, output, old, new, found)
        shutil.rmtree(folder)
    return found


def look(command: Command, output: Path, old: str | None, new: str, found: Found) -> None:
    try:
        now = command.content(output) if output.exists() else None
        if command.content is not trained and now not in {old, new}:
            found.half += now is not None
            found.lost += now is None
    except (OSError, ValueError, KeyError, AssertionError):
        found.half += 1
    words = command.words
    is_begun = not is_vacant(output) if output.is_dir() else output.exists() or output.with_suffix(".json").exists()
    if command.again and is_begun:
        words = command.again
    elif output.exists() and not command.old and command.content(output) == new:
        return  # killed at its very end: the same command would be told that the output exists
    code = finish(start(worded(words, output)))
    right = code == 0 and command.content(output) == new
    found.failed += not right
    left = {file.name for file in output.parent.iterdir()} - {command.output, *command.makes}
    left |= {file.name for file in output.parent.rglob(".lite-vton-*")}
    found.litter += bool(left)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="in all")
    parser.add_argument("--only", default="", help="commands whose names begin so, comma-separated")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    draw, faults, total = random.Random(arguments.seed), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        listed = [command for command in commands(root) if command.name.startswith(tuple(arguments.only.split(",")))]
        prepare(root, [command.name for command in listed])
        print("| command | kills | lost | half-written | failed then | litter |\n|---|---:|---:|---:|---:|---:|")
        for number, command in enumerate(listed):
            share = max(1, round(arguments.kills * command.share / sum(each.share for each in listed)))
            found = try_kills(command, share, root / str(number), draw)
            faults, total = faults + found.faults, total + found.kills
            cells = (command.name, found.kills, found.lost, found.half, found.failed, found.litter)
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    print(f"{total} kills, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
