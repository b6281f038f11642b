"""What to try next with a bundle, a run or a dataset: the command that a verb ends with."""

from __future__ import annotations

from pathlib import Path

from lite_vton.messages.commands import command

__all__ = ["benchmark_command", "export_command", "say_your_own_photos", "training_command"]


def benchmark_command(bundle: Path) -> str:
    """To time a bundle. The report of a zip goes into a folder of its own."""
    report = bundle if bundle.is_dir() else bundle.with_name(f"{bundle.stem}-benchmark")
    return command("benchmark", bundle, "-o", report)


def export_command(run: Path) -> str:
    """To make a bundle of a run, in the current folder."""
    return command("export", run, "-o", Path(f"{run.resolve().name}.bundle"))


def training_command(data: Path) -> str:
    """To train the first network on a dataset."""
    return command("train", "demo-teacher", "--data", data, "-o", "runs/teacher")


def say_your_own_photos(bundle: Path) -> None:
    """Print how `run` is told of somebody's own photos, whose names nobody knows here."""
    line = command("run", bundle, "--person", "PHOTO", "--garment", "PHOTO", "-o", "result.png")
    print(f"for your own photos: {line}")
