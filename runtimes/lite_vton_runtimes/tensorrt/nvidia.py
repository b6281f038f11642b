"""Which NVIDIA GPU this machine has, asked of the driver alone: no CUDA toolkit, no torch."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

__all__ = ["Gpu", "first_gpu"]

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# Of CUDA's driver API, enum CUdevice_attribute.
_MAJOR, _MINOR = 75, 76


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver names it; `compute_capability` such as (8, 9)."""

    name: str
    compute_capability: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.compute_capability[0]}.{self.compute_capability[1]}"


def first_gpu() -> Gpu | None:
    """The GPU that CUDA counts as number 0; None without a driver or without a GPU."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    count, device = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return None
    major, minor, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
    if (
        driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, len(name), device)
        or driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
        or driver.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    ):
        return None
    return Gpu(name.value.decode(errors="replace"), (major.value, minor.value))
