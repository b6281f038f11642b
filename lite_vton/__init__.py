"""Virtual try-on on any backend: open a bundle, dress a person.

from lite_vton import TryOn
with TryOn("bundle", backend="onnxruntime", precision="fp16") as model:
    result = model(inputs, steps=8, seed=0)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.libraries.telemetry import switch_off
from lite_vton.version import __version__

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle
    from lite_vton_runtimes.backends import BACKENDS, load
    from lite_vton_runtimes.session import TryOn

__all__ = ["BACKENDS", "Bundle", "TryOn", "UserError", "__version__", "load"]

switch_off()

_LATE = {
    "BACKENDS": "lite_vton_runtimes.backends",
    "Bundle": "lite_vton.bundle",
    "TryOn": "lite_vton_runtimes.session",
    "load": "lite_vton_runtimes.backends",
}
"""Where names come from that take numpy and pydantic, half a second that a help text should not wait for."""


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)
