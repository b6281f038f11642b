"""The program `lite-vton`: its verbs, and what every one of them has in common."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from lite_vton.cli.failures import NOBODY_READS, describe
from lite_vton.cli.help_text import GroupedCommand, help_unless_a_verb_follows
from lite_vton.cli.outputs import outputs_held
from lite_vton.cli.process_start import BEGAN, process_start
from lite_vton.cli.streams import open_what_is_closed, say_error, shut_output, take_any_letter
from lite_vton.cli.verbs import (
    benchmark,
    demo,
    distill,
    doctor,
    evaluate,
    export,
    few_steps,
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
from lite_vton.cli.verbs.data import program as data
from lite_vton.errors import UserError
from lite_vton.version import __version__

__all__ = ["app", "run_program"]

# Plain text, no boxes: starts faster, and reads the same in a log.
app = typer.Typer(
    name="lite-vton",
    help="Virtual try-on diffusion for the edge: train a student, export it, check it, run it anywhere.",
    epilog="Try `lite-vton demo -o outputs/demo` first.",
    rich_markup_mode=None,
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
    "few-steps": few_steps.few_steps,
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
    app.command(_name, cls=GroupedCommand)(_verb)
app.add_typer(data.app, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lite-vton {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _everywhere(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    _verbose: Annotated[bool, typer.Option("--verbose", help="On an error, print the trace too.")] = False,
) -> None:
    help_unless_a_verb_follows(context)


def run_program(arguments: Sequence[str] | None = None) -> int:
    """What `lite_vton.cli.main` does, once everything is imported."""
    # Where another program uses the cores too, OpenMP's threads spin for each other: measured on two busy cores, one
    # U-Net call of the demo took 1970 ms instead of 45. Read when torch is loaded; inherited by benchmarks.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    take_any_letter()
    if arguments is not None:
        with _begun_at(time.perf_counter()):
            return _run(arguments)
    open_what_is_closed()
    with _begun_at(process_start()):
        code = _run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C now would only spoil the exit code
    return code


def _run(arguments: Sequence[str]) -> int:
    # Wanted after a failure, by adding it to the end of the line just typed; so it counts anywhere.
    verbose = "--verbose" in arguments
    words = [word for word in arguments if word != "--verbose"]
    try:
        _refuse_no_word(words)
        with _terminated_like_interrupted(), outputs_held():
            code = app(words, prog_name="lite-vton", standalone_mode=False)
            sys.stdout.flush()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # Typer's own end, with exit code 1
            return NOBODY_READS
        raise
    except (Exception, KeyboardInterrupt) as error:
        failure = describe(error)
        if failure is None:
            raise
        if verbose:
            traceback.print_exc()
        _flush_or_shut()
        if failure.line:
            say_error(failure.line)
        return failure.exit_code
    if code == 130:  # how Typer reports Ctrl-C
        say_error("stopped; nothing was written")
    return int(code or 0)


def _refuse_no_word(words: Sequence[str]) -> None:
    """What no argument can be: `""` as a path would be the current folder, and no file's name holds a null."""
    for word in words:
        if not word or (word.endswith("=") and word.startswith("--")):
            raise UserError("an argument is empty: give it a value, or leave out the option before it")
        if "\0" in word:
            raise UserError(f"{word!r} holds a null character: leave it out")


def _flush_or_shut() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        shut_output()


@contextmanager
def _begun_at(moment: float) -> Iterator[None]:
    token = BEGAN.set(moment)
    try:
        yield
    finally:
        BEGAN.reset(token)


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
