"""The built page is found, and where it is not built, how to build it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton_runtimes.server.page_files import built_page


def test_a_page_that_is_not_built_is_an_error_that_says_how(tmp_path: Path, page: Path) -> None:
    with pytest.raises(UserError, match="justw web") as error:
        built_page(tmp_path)
    assert "\n" not in str(error.value)
    assert built_page(page) == page
