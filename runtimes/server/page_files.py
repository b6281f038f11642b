"""Where the built page lies."""

from __future__ import annotations

from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["built_page"]

_DIST = Path(__file__).parents[1] / "web/dist"


def built_page() -> Path:
    """The folder with `page/` and `ort/`; a `UserError` that says how to build it where it is not there."""
    if (_DIST / "page/index.html").is_file() and (_DIST / "ort").is_dir():
        return _DIST
    raise UserError(
        "the page is not built, which takes Node 20 or newer: ./justw web, or in runtimes/web: npm ci && npm run build"
    )
