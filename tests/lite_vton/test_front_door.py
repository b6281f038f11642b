"""The examples in the docstrings of what people import first run, and give what they say."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path
from typing import Any

import pytest

import lite_vton
from lite_vton.cli import main
from lite_vton.data.drawn.dataset import synthesize
from lite_vton.photo.files import load_photo
from lite_vton.tryon.photos import prepare_photos

pytestmark = pytest.mark.slow

SHOWN = {
    "Bundle": lite_vton.Bundle,
    "TryOn": lite_vton.TryOn,
    "UserError": lite_vton.UserError,
    "load": lite_vton.load,
    "prepare_photos": prepare_photos,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle and two photos, as the examples have them."""
    folder = tmp_path_factory.mktemp("front-door")
    pair = synthesize(folder / "drawn", 2, seed=3, test_share=0.5) / "train"
    shutil.copyfile(pair / "image/00000_00.jpg", folder / "person.jpg")
    shutil.copyfile(pair / "cloth/00000_00.jpg", folder / "garment.jpg")
    assert main(["export", "tiny", "-o", str(folder / "bundle"), "--steps", "2"]) == 0
    return folder


@pytest.mark.parametrize("name", SHOWN)
def test_the_example_in_its_docstring_runs(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, Any] = {"load_photo": load_photo, "prepare_photos": prepare_photos}
    if name == "TryOn":
        photos = (load_photo("person.jpg"), load_photo("garment.jpg"))
        names["inputs"] = prepare_photos(*photos, 64, 48).inputs
    found = doctest.DocTestFinder(recurse=False).find(SHOWN[name], name, globs=names)
    results = [doctest.DocTestRunner().run(example) for example in found]
    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0


def test_everything_public_has_such_an_example_or_is_data() -> None:
    assert set(lite_vton.__all__) - set(SHOWN) == {"BACKENDS", "__version__"}
