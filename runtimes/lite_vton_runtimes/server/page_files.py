"""Where the built page lies."""

from __future__ import annotations

from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["built_page"]

_DIST = Path(__file__).parents[1] / "web/dist"


def built_page(dist: Path = _DIST) -> Path:
    """`dist`, with `page/` and `ort/` in it as the build of runtimes/web leaves them.

    A `UserError` that says how to build it where it is not there.
    """
    if (dist / "page/index.html").is_file() and (dist / "ort").is_dir():
        return dist
    raise UserError(
        "the page is not built, which takes Node 20 or newer: ./justw web, or in runtimes/web: npm ci && npm run build"
    )
