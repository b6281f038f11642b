"""Where the built page lies."""

from __future__ import annotations

from pathlib import Path

from lite_vton.errors import UserError

__all__ = ["built_page"]

_PLACES = tuple(Path(__file__).parents[up] / "web/dist" for up in (1, 2))
"""In an installed wheel, and in a checkout."""


def built_page(*places: Path) -> Path:
    """The first of `places` with `page/` and `ort/` in it as the build of runtimes/web leaves them; default: our own.

    A `UserError` that says how to build it where it is not there.
    """
    for dist in places or _PLACES:
        if (dist / "page/index.html").is_file() and (dist / "ort").is_dir():
            return dist
    raise UserError(
        "the page is not built, which takes Node 20 or newer: ./justw web, or in runtimes/web: npm ci && npm run build"
    )
