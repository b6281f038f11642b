"""What a recipe keeps beside its weights: minutes, which somebody may have damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton_training.loop.stages import Clock


@pytest.mark.parametrize("text", ["", "[]", '{"a": "long"}', '{"a": null}', '{"a": [1]}'])
def test_damaged_times_are_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "minutes.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"minutes\.json"):
        Clock(file).minutes()
    with pytest.raises(UserError, match=r"minutes\.json"):
        Clock(file).add("a", 1.0)
    assert file.read_text() == text
