"""Pairs are read by as many processes as wanted, to the same pictures, whatever threads the reading process has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.viton_hd import VitonHD
from lite_vton_training.dataset.pictures import PicturePairs, read_pictures, read_pieces


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> VitonHD:
    folder: Path = tmp_path_factory.mktemp("drawn") / "data"
    return VitonHD(synthesize(folder, 5, seed=4, height=96, width=72, test_share=0.0), "train", height=64, width=48)


def same(found: PicturePairs, wanted: PicturePairs) -> bool:
    return all(np.array_equal(vars(found)[name], column) for name, column in vars(wanted).items())


@pytest.mark.slow
def test_processes_read_what_one_does_in_its_order_beside_other_threads(samples: VitonHD) -> None:
    import cv2
    import torch

    alone = read_pictures(samples, garments=True)
    # Both leave threads behind, whose locks a forked process would wait for.
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 5)
    torch.randn(600, 600).mm(torch.randn(600, 600))
    done: list[int] = []
    assert same(read_pictures(samples, garments=True, workers=2, progress=done.append), alone)
    assert done == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_pieces_are_the_same_pictures_one_piece_after_the_other(samples: VitonHD) -> None:
    alone = read_pictures(samples)
    pieces = list(read_pieces(samples, [slice(0, 2), slice(2, 5)], workers=2))
    assert [len(piece) for piece in pieces] == [2, 3]
    for name, column in vars(alone).items():
        assert np.array_equal(np.concatenate([vars(piece)[name] for piece in pieces]), column)


@pytest.mark.slow
def test_reading_that_is_given_up_leaves_no_process_behind(samples: VitonHD) -> None:
    import psutil

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    reading = read_pieces(samples, [slice(0, 2), slice(2, 5)], workers=2)
    assert len(next(reading)) == 2
    reading.close()  # type: ignore[attr-defined]  # a generator has it
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert not [child for child in left if "spawn_main" in " ".join(child.cmdline())]
