"""What the libraries under us would report to their makers, switched off.

Each of our packages calls `switch_off` when it is imported, hence before any of these libraries is. Child processes
inherit the environment.
"""

from __future__ import annotations

import os
import sys

__all__ = ["SWITCHES", "switch_off"]

SWITCHES = {
    # onnxruntime 1.32 opens a database in the user's cache when it is imported, and sends it ten seconds later.
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub, for diffusers and transformers.
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Environment variables that the libraries read, with the value that switches them off."""

_REPORTERS = ("openvino_telemetry",)  # 2025.2: no variable but CI=true switches it off; openvino and nncf go without it


def switch_off() -> None:
    """Let no library report anything, whatever the environment says. Comes before the libraries are imported."""
    os.environ.update(SWITCHES)
    for name in _REPORTERS:
        # To Python, a module that is None is one that is not installed.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
