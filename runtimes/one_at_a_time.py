"""Any runtime with at most one network in memory: each is loaded when called, and released before the next one is."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from runtimes.base import Array, Component, Runtime

__all__ = ["OneAtATime", "Releasable"]


@runtime_checkable
class Releasable(Protocol):
    """A component that can let go of its network, and loads it again when it is called."""

    def release(self) -> None:
        """Free the network; nothing happens where it is not loaded."""


class OneAtATime:
    """`runtime`, of whose networks no two are in memory at once; what they answer stays the same, bit for bit.

    A try-on calls its networks one after the other, so each is loaded once, as ever: what it costs is that the next
    try-on loads them again. `UserError` for a backend that holds all of its networks from the start.
    """

    def __init__(self, runtime: Runtime) -> None:
        if not all(isinstance(component, Releasable) for component in runtime.components.values()):
            raise UserError(f"{runtime.name} holds all its networks at once: leave out --low-memory")
        _map_large_tensors()
        self._runtime = runtime
        self._held: str | None = None

    @property
    def name(self) -> str:
        """The runtime's own."""
        return self._runtime.name

    @property
    def components(self) -> Mapping[str, Component]:
        """The networks by name."""
        return {name: self._alone(name, component) for name, component in self._runtime.components.items()}

    def close(self) -> None:
        """Free everything."""
        self._runtime.close()

    def _alone(self, name: str, component: Component) -> Component:
        def run(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
            if self._held not in (None, name):
                held = self._runtime.components[self._held]
                assert isinstance(held, Releasable)
                held.release()
                _return_to_the_system()
            self._held = name
            return component(inputs)

        return run


_M_MMAP_THRESHOLD = -3  # malloc.h


def _map_large_tensors() -> None:
    """Let glibc give every block of 1 MB its own pages, which go back when it is freed.

    Left alone it raises that bound to 32 MB as blocks are freed, and tensors then leave holes between those that stay.
    Measured on the full-size student in int8 on ONNX Runtime: 535 MB at most and not 599.
    """
    change = _of_glibc("mallopt")
    if change is not None:
        change(_M_MMAP_THRESHOLD, 1 << 20)


def _return_to_the_system() -> None:
    """Freed memory stays with the process otherwise: glibc keeps it for the next allocation."""
    gc.collect()
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library; None where it has none of that name, as on musl, macOS and Windows."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
