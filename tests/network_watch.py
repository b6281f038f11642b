"""Whom a process and its children look up and connect to, seen from inside, also where compiled code does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


@dataclass(frozen=True)
class NetworkWatch:
    """`environment` for a process to be watched, and the `log` that it and its children leave."""

    library: Path
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"LD_PRELOAD": str(self.library), "NETWORK_WATCH": str(self.log)}

    def seen(self) -> list[str]:
        """Lines such as "look-up example.com" and "connect 192.0.2.1"."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def network_watch(folder: Path) -> NetworkWatch:
    """Compiled into `folder`; skips the test where that cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler, to look into a process")
    library = folder / "network_watch.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return NetworkWatch(library, folder / "network.log")
