"""The program `lite-vton`: its verbs, and what every one of them has in common."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from lite_vton.cli import (
    benchmark,
    data,
    demo,
    distill,
    doctor,
    evaluate,
    export,
    formats,
    import_,
    inspect,
    models,
    run,
    serve,
    sheet,
    train,
    verify,
)
from lite_vton.cli.failures import describe
from lite_vton.version import __version__

__all__ = ["app", "main"]

# Plain text, no boxes: starts faster, and reads the same in a log.
app = typer.Typer(
    name="lite-vton",
    help="Virtual try-on diffusion for the edge: train a student, export it, check it, run it anywhere.",
    epilog="Try `lite-vton demo -o outputs/demo` first.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_VERBS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "doctor": doctor.doctor,
    "models": models.models,
    "formats": formats.formats,
    "import": import_.import_,
    "train": train.train,
    "distill": distill.distill,
    "eval": evaluate.evaluate,
    "export": export.export,
    "verify": verify.verify,
    "inspect": inspect.inspect,
    "benchmark": benchmark.benchmark,
    "run": run.run,
    "serve": serve.serve,
    "sheet": sheet.sheet,
}
for _name, _verb in _VERBS.items():
    app.command(_name)(_verb)
app.add_typer(data.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lite-vton {__version__}")
        raise typer.Exit


@app.callback()
def _everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="On an error, print the trace too.")] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, 1 a check failed, 2 could not be done as asked (one line on stderr says why), 130 interrupted or terminated.
    """
    # Where another program uses the cores too, OpenMP's threads spin for each other: measured on two busy cores, one
    # U-Net call of the demo took 1970 ms instead of 45. Read when torch is loaded; inherited by benchmarks.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Wanted after a failure, by adding it to the end of the line just typed; so it counts anywhere.
    verbose = "--verbose" in words
    words = [word for word in words if word != "--verbose"]
    try:
        with _terminated_like_interrupted():
            code = app(words, prog_name="lite-vton", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        failure = describe(error)
        if failure is None:
            raise
        if verbose:
            traceback.print_exc()
        print(f"lite-vton: {failure.line}", file=sys.stderr)
        return failure.exit_code
    if code == 130:  # how Typer reports Ctrl-C
        print("lite-vton: stopped; nothing was written", file=sys.stderr)
    return int(code or 0)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM, as containers, schedulers and `timeout` send it, ends a verb like Ctrl-C: what it was writing goes."""

    def stop(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # where Python lets nobody change handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
