"""Which TensorRT is here: TensorRT-RTX, which builds without a GPU, or classic TensorRT, which does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

__all__ = ["FLAVOURS", "Flavour", "TensorRT", "load_tensorrt", "quiet"]

_SWITCH = "POLYGRAPHY_USE_TENSORRT_RTX"
_LIBRARIES = "LD_LIBRARY_PATH"


@dataclass(frozen=True)
class Flavour:
    """One kind of TensorRT. `switch` is what Polygraphy's environment variable has to hold for it."""

    name: Literal["tensorrt-rtx", "tensorrt"]
    module: str
    switch: str


FLAVOURS = (Flavour("tensorrt-rtx", "tensorrt_rtx", "1"), Flavour("tensorrt", "tensorrt", "0"))
"""In order of preference."""


@dataclass(frozen=True)
class TensorRT:
    """The TensorRT of this process, imported.

    `logger` is the process's one `ILogger`: it keeps errors for the one line a user gets, and prints nothing. `errors`
    are what it was told since they were last emptied.
    """

    flavour: Flavour
    version: str
    module: ModuleType
    logger: object
    errors: list[str]


def load_tensorrt() -> TensorRT:
    """Import the TensorRT that is here, and Polygraphy for it.

    TensorRT-RTX where both are; the environment variable POLYGRAPHY_USE_TENSORRT_RTX, 1 or 0, chooses otherwise.
    Raises `ModuleNotFoundError` naming what is missing.
    """
    wanted = os.environ.get(_SWITCH)
    rows = [row for row in FLAVOURS if wanted in (None, row.switch)] or list(FLAVOURS)
    flavour = next((row for row in rows if find_spec(row.module) is not None), rows[0])
    # Polygraphy reads it once, when it is imported.
    os.environ[_SWITCH] = flavour.switch
    module = import_module(flavour.module)
    import_module("polygraphy")
    _offer_cuda_runtime()
    logger, errors = _logger(module)
    return TensorRT(flavour, str(module.__version__), module, logger, errors)


@cache
def _logger(module: Any) -> tuple[object, list[str]]:
    """The logger of a TensorRT module and the list it fills, alive as long as the process.

    TensorRT keeps a bare pointer to the first logger it is given and hands it to whatever is made later
    (https://github.com/NVIDIA/TensorRT/issues/1475), so a logger must not go with the builder or runtime it came with.
    """
    errors: list[str] = []
    loud = (module.ILogger.Severity.ERROR, module.ILogger.Severity.INTERNAL_ERROR)

    class Kept(module.ILogger):  # type: ignore[misc]  # a class of the imported library
        def __init__(self) -> None:
            # As pybind11 wants it: `super()` does not reach the constructor of its class.
            module.ILogger.__init__(self)

        def log(self, severity: object, message: str) -> None:
            if severity in loud:
                errors.append(" ".join(message.split()))

    return Kept(), errors


def _offer_cuda_runtime() -> None:
    """Name the folder of the wheel nvidia-cuda-runtime 13 to Polygraphy 0.53, which knows only where 11 and 12 lie."""
    if find_spec("nvidia") is None or (wheel := find_spec("nvidia.cu13")) is None:
        return
    named = [folder for folder in os.environ.get(_LIBRARIES, "").split(os.pathsep) if folder]
    found = [str(Path(root) / "lib") for root in wheel.submodule_search_locations or ()]
    # Behind what the user named; Polygraphy reads it when it first needs the runtime.
    os.environ[_LIBRARIES] = os.pathsep.join(dict.fromkeys([*named, *found]))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what Polygraphy prints about packages and progress off the screen; its exceptions still come."""
    from polygraphy.logger import G_LOGGER

    with G_LOGGER.verbosity(G_LOGGER.CRITICAL + 1):
        yield
