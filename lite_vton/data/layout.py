"""VITON-HD's folders and file names, for what reads them and what writes them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CUTS", "FOLDERS", "HOLES", "LANDMARKS", "SPLITS", "part_file"]

SPLITS = ("train", "test")

FOLDERS: dict[str, tuple[str, str]] = {
    "person": ("image", ".jpg"),
    "cloth": ("cloth", ".jpg"),
    "cloth_mask": ("cloth-mask", ".jpg"),
    "agnostic": ("agnostic-v3.2", ".jpg"),
    "mask": ("agnostic-mask", "_mask.png"),
    "keypoints": ("openpose_json", "_keypoints.json"),
    "skeleton": ("openpose_img", "_rendered.png"),
    "parse": ("image-parse-v3", ".png"),
    "parse_agnostic": ("image-parse-agnostic-v3.2", ".png"),
}
"""For each kind of file its folder and what follows the stem of the picture's name (`00001_00`)."""

HOLES = ("cloth-holes", ".png")
"""Beside VITON-HD's own, as `FOLDERS`: 255 where a garment laid flat from a photo was hidden in it and is filled."""

CUTS = ("cloth-cut", ".json")
"""Beside VITON-HD's own, as `FOLDERS`: how a garment laid flat from a photo is cut, on the scale of who wore it."""

LANDMARKS = ("cloth-landmarks", ".json")
"""Beside VITON-HD's own, as `FOLDERS`: a garment's named points in pixels, its class, category and source."""


def part_file(split_folder: Path, kind: str, picture: str) -> Path:
    """The file of `kind` (of `FOLDERS`, "holes", "cut" or "landmarks") that belongs to `picture` (`00001_00.jpg`)."""
    folder, ending = {"holes": HOLES, "cut": CUTS, "landmarks": LANDMARKS}.get(kind) or FOLDERS[kind]
    return split_folder / folder / (Path(picture).stem + ending)
