"""Run a bundle's Core AI assets: on Linux by the interpreter in coreai-core's wheel, which is exact and slow."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton_runtimes.base import Array, Component
from lite_vton_runtimes.coreai.asset import opened_asset
from lite_vton_runtimes.networks import BundleRuntime, network_files
from lite_vton_runtimes.tensors import ordered

if TYPE_CHECKING:
    from coreai.runtime import AIModel

__all__ = ["CoreAIRuntime"]


class CoreAIRuntime(BundleRuntime[Component]):
    """The `coreai-<precision>` assets of a bundle, or its fused one; a `UserError` for what is missing or damaged."""

    def __init__(self, bundle: Bundle, precision: str, *, fused: bool = False) -> None:
        networks = network_files(bundle, "coreai", precision, called="Core AI", fused=fused)
        super().__init__(f"coreai-{precision}", {}, bundle)
        self._loop = asyncio.new_event_loop()
        self._open = AsyncExitStack()
        try:
            for name, (path, tensors_of) in networks.items():
                model = self._loop.run_until_complete(self._load(path))
                self._components[name] = self._component(name, model, tensors_of)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the models and of the files they were unpacked to."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self._open.aclose())
            self._loop.close()
        super().close()

    async def _load(self, path: Path) -> AIModel:
        asset = opened_asset(path)
        try:
            with _without_native_messages():
                return await self._open.enter_async_context(asset.executable())
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{path} cannot be loaded ({reason}): export it again") from error

    def _component(self, name: str, model: AIModel, tensors: ComponentTensors) -> Component:
        from coreai.runtime import NDArray as Tensor

        with _without_native_messages():
            function = model.load_function(model.function_names[0])

        async def call(inputs: dict[str, Any]) -> dict[str, Array]:
            answers = await function(inputs)
            return {spec.name: np.array(answers[spec.name].numpy(), np.float32) for spec in tensors.outputs}

        def run(inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
            arrays = ordered(name, tensors.inputs, inputs)
            given = {
                spec.name: Tensor(array.astype(np.int32) if array.dtype == np.int64 else array)
                for spec, array in zip(tensors.inputs, arrays, strict=True)
            }
            return self._loop.run_until_complete(call(given))

        return run


@contextmanager
def _without_native_messages() -> Iterator[None]:
    """The interpreter (coreai-core 1.0.0b2) writes a line to the process's own stderr for every function it loads."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a descriptor is what is wanted
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
