"""Any runtime with at most one network in memory: each is loaded when called, and released before the next one is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton_runtimes.base import Array, Component, Runtime
from lite_vton_runtimes.memory import map_large_tensors, return_to_the_system

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
        map_large_tensors()
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
                return_to_the_system()
            self._held = name
            return component(inputs)

        return run
