"""Where people are in a photo, found by a YOLOX detector in an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.person.onnx_network import open_network

__all__ = ["person_boxes"]

_STRIDES = (8, 16, 32)  # the grids' cells in pixels, in the output's order
_BORDER = 114  # grey that fills what the photo leaves of the square
_PERSON = 0  # of COCO's 80 classes
_SURE = 0.3  # least objectness x class
_OVERLAP = 0.45  # intersection over union above which two boxes are one person


def person_boxes(pixels: NDArray[np.uint8], file: Path) -> NDArray[np.float64]:
    """(N, 4) left, top, right, bottom of each person in pixels (H, W, 3) RGB, inside the photo, largest area first.

    `file` takes BGR from 0 to 255 and answers (1, cells, 5 + classes), as YOLOX's own export does: x, y in cells from
    the cell's corner, log of width and height in cells, objectness, classes. `UserError` for any other file.
    """
    import cv2

    network = open_network(file, outputs=1)
    picture, scale = _letterbox(pixels, network.height, network.width)
    rows = network(picture)[0]
    cells = _cells(network.height, network.width)
    if rows.ndim != 3 or rows.shape[:2] != (1, len(cells)) or rows.shape[2] < 6:
        raise UserError(
            f"{file} answers {rows.shape}: expected (1, {len(cells)}, 5 + classes), YOLOX's grid as it is, "
            "without boxes chosen in the file"
        )
    rows = rows[0].astype(np.float64)
    corners, strides = cells[:, :2], cells[:, 2:]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is dropped below
        sizes = np.exp(rows[:, 2:4]) * strides / scale
        starts = (rows[:, :2] + corners) * strides / scale - sizes / 2
        scores = rows[:, 4] * rows[:, 5 + _PERSON]
    sure = (scores > _SURE) & np.isfinite(starts).all(axis=1) & np.isfinite(sizes).all(axis=1)
    boxes = np.hstack([starts, sizes])[sure]
    kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores[sure].tolist(), _SURE, _OVERLAP), int)
    edges = np.hstack([boxes[kept, :2], boxes[kept, :2] + boxes[kept, 2:]])
    return _inside(edges, *pixels.shape[:2])


def _letterbox(pixels: NDArray[np.uint8], height: int, width: int) -> tuple[NDArray[np.float32], float]:
    """The whole photo in the upper left of (height, width, 3) BGR, and by how much it was scaled."""
    import cv2

    scale = min(height / pixels.shape[0], width / pixels.shape[1])
    size = max(1, int(pixels.shape[1] * scale)), max(1, int(pixels.shape[0] * scale))
    resized = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    picture = np.full((height, width, 3), _BORDER, np.float32)
    picture[: size[1], : size[0]] = resized[..., ::-1]
    return picture, scale


def _cells(height: int, width: int) -> NDArray[np.float64]:
    """(cells, 3) column, row and stride of each row of the output."""
    grids = []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        grids.append(np.stack([columns, rows, np.full_like(rows, stride)], axis=-1).reshape(-1, 3))
    return np.asarray(np.concatenate(grids), np.float64)


def _inside(boxes: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    # The pose networks learnt from boxes that end at the photo's edge.
    boxes = np.asarray(np.clip(boxes, 0, [width, height, width, height]), np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    order = np.argsort(-sides.prod(axis=1), kind="stable")
    return np.asarray(boxes[order[(sides[order] >= 1).all(axis=1)]], np.float64)
