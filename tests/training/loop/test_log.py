"""What a recipe keeps beside its weights: losses, which somebody may have damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton_training.loop.log import read_log


@pytest.mark.parametrize("text", ["step,noise\n0,none\n", "step,noise\n0,1,2\n", "\0", "step,noise\n0,\xff"])
def test_a_damaged_log_is_named(text: str, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"log\.csv is no table of losses"):
        read_log(log)
