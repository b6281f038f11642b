"""A bar or a line on the terminal for work that takes a while; nothing where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress_bar", "stages"]


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar on stderr; call what is yielded with how many are done and a note. Silent unless stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )

    def update(done: int, note: str) -> None:
        progress.update(task, completed=done, note=note)

    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, note="")
        yield update


@contextmanager
def stages(description: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr that names the stage at work. Silent unless stderr is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _silent
        return
    with console.status(description) as status:
        yield lambda stage: status.update(f"{description}: {stage}")


def _silent(_stage: str) -> None:
    pass
