"""A CLIP image tower in transformers' own folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.model.image_encoder import build_image_encoder
from tests.lite_vton.model.their_checkpoints import CLIP


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert CLIP.image_encoder is not None
    folder = tmp_path_factory.mktemp("clip")
    build_image_encoder(CLIP.image_encoder).save_pretrained(folder)
    return folder
