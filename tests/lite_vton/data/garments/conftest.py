"""Photos of drawn garments before planks and tiles, sorted into folders, with files among them that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("skia", reason="needs lite-vton[data]")


SIZE = (300, 240)  # height and width of a photo


def wall() -> NDArray[np.uint8]:
    return np.full((*SIZE, 3), (120, 150, 110), np.uint8)


def planks() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    tones = np.repeat(rng.integers(90, 150, 12), 25)[:, None]
    floor = np.stack([tones, tones * 0.75, tones * 0.5], axis=-1) + rng.normal(0, 6, (*SIZE, 3))
    return np.clip(floor, 0, 255).astype(np.uint8)


def tiles() -> NDArray[np.uint8]:
    floor = np.full((*SIZE, 3), 205, np.uint8)
    for joint in (0, 1):
        floor[joint::50], floor[:, joint::50] = 90, 90
    return floor


def photographed(index: int, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawn garment (240, 180) in the middle of a photo of that background."""
    from lite_vton.data.drawn.pair import draw_pair

    pair = draw_pair(11, index, 240, 180)
    inside = pair.cloth_mask > 0
    picture = background.copy()
    picture[30:270, 30:210][inside] = pair.cloth[inside]
    return picture


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five garments in four folders, one of a class nobody knows; and what is to be dropped, or is no photo."""
    folder = tmp_path_factory.mktemp("garments") / "photos"

    def save(name: str, index: int, background: NDArray[np.uint8]) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photographed(index, background)).save(path, quality=95)

    save("dress/flared one.jpg", 2, wall())
    save("kurta/0001.jpg", 5, wall())
    save("longsleeve/0001.jpg", 7, planks())
    save("t-shirt/0001.jpg", 8, tiles())
    save("t-shirt/0002.jpg", 1, planks())
    save("t-shirt/vest.jpg", 3, wall())
    (folder / "t-shirt/broken.jpg").write_bytes((folder / "t-shirt/0001.jpg").read_bytes()[:3000])
    (folder / "t-shirt/words.png").write_text("no picture")
    Image.fromarray(wall()).save(folder / "t-shirt/blank.png")
    frames = [Image.fromarray(photographed(8, tiles())), Image.fromarray(tiles())]
    frames[0].save(folder / "t-shirt/turning.gif", save_all=True, append_images=frames[1:])
    (folder / "LICENSE").write_text("free")
    (folder / ".hidden.jpg").write_text("not looked at")
    return folder
