"""A network in an ONNX file that is not ours and is shown one picture: its size, its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.bundle import check_beside
from lite_vton.errors import UserError

if TYPE_CHECKING:
    import onnxruntime as ort

__all__ = ["PictureNetwork", "open_network"]


@dataclass(frozen=True)
class PictureNetwork:
    """Takes one picture of `height` x `width` pixels, which `file` itself says."""

    file: Path
    height: int
    width: int
    session: ort.InferenceSession

    def __call__(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What it answers to picture (height, width, 3), all outputs in the file's order.

        `UserError` where it fails on its own input.
        """
        feed = {self.session.get_inputs()[0].name: np.ascontiguousarray(picture.transpose(2, 0, 1)[None])}
        try:
            answers = self.session.run(None, feed)
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise UserError(f"{self.file} fails when it runs ({_reason(error)}): get the file again") from error
        return [np.asarray(answer, np.float32) for answer in answers]


def open_network(file: Path, outputs: int) -> PictureNetwork:
    """The ONNX file at this path, on the CPU.

    `UserError` for a file that is missing, no ONNX, names weights anywhere but beside it, takes anything but one
    float32 picture (1, 3, height, width) of fixed size, or has another number of outputs.
    """
    import onnxruntime as ort

    if not file.is_file():
        raise UserError(f"there is no file {file}: give the path of the ONNX file")
    check_beside(file, ".onnx")
    options = ort.SessionOptions()
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was looked through, whatever its name
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise UserError(f"{file} is not a readable ONNX file ({_reason(error)}): get the file again") from error
    inputs = [(tensor.type, tuple(tensor.shape)) for tensor in session.get_inputs()]
    match inputs:
        case [("tensor(float)", (batch, 3, int(height), int(width)))] if batch == 1 or not isinstance(batch, int):
            pass
        case _:
            found = ", ".join(f"{kind} {shape}" for kind, shape in inputs)
            raise UserError(f"{file} takes {found}: expected one tensor(float) (1, 3, height, width) of fixed size")
    found_outputs = len(session.get_outputs())
    if found_outputs != outputs:
        raise UserError(f"{file} has {found_outputs} outputs: expected {outputs}")
    return PictureNetwork(file, height, width, session)


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
