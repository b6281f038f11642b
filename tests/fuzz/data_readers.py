"""Readers of datasets: lists of pairs, whole folders, cuts and MATLAB files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from tests.fuzz.reader import Reader

__all__ = ["ROWS"]


@cache
def _drawn() -> dict[str, bytes]:
    import tempfile

    from lite_vton.data.drawn.dataset import synthesize

    with tempfile.TemporaryDirectory() as temporary:
        root = synthesize(Path(temporary) / "pairs", 1, height=128, width=96, seed=3, test_share=0)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _dataset(folder: Path) -> None:
    for name, content in _drawn().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _read_dataset(folder: Path) -> None:
    from lite_vton.data.opening import open_pairs

    pairs = open_pairs(folder, "train", height=64, width=48)
    pairs[0]


def _read_list(folder: Path) -> None:
    from lite_vton.data.pair_list import read_pairs

    read_pairs(folder / "train_pairs.txt")


def _cut(folder: Path) -> None:
    from lite_vton.garment.cut_file import save_cut
    from tests.lite_vton.garment.test_cut import long_sleeved

    save_cut(folder / "cut.json", long_sleeved())


def _read_cut(folder: Path) -> None:
    from lite_vton.garment.cut_file import load_cut

    load_cut(folder / "cut.json")


def _matlab(folder: Path) -> None:
    from scipy.io import savemat

    labels = np.random.default_rng(0).integers(0, 50, (40, 30), dtype=np.uint8)
    names = np.array([["shirt"], ["skin"]], dtype=object)
    savemat(folder / "labels.mat", {"groundtruth": labels, "label_list": names}, do_compression=True)


def _read_matlab(folder: Path) -> None:
    from lite_vton.data.ccp.matlab import read_variable

    for name in ("groundtruth", "label_list"):
        read_variable(folder / "labels.mat", name)


ROWS = (
    Reader("dataset", _dataset, _read_dataset, needs=("skia",), share=0.2),
    Reader(
        "pair-list",
        lambda folder: (folder / "train_pairs.txt").write_text("00000_00.jpg 00000_00.jpg\n" * 5),
        _read_list,
        share=8,
    ),
    Reader("cut", _cut, _read_cut, share=4),
    Reader("matlab", _matlab, _read_matlab, needs=("scipy",), share=4),
)
