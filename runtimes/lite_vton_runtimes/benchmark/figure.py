"""A matplotlib figure without a display, and its PNG file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lite_vton.atomic import whole_file
from lite_vton.errors import UserError

__all__ = ["new_figure", "save_figure"]


def new_figure(figsize: tuple[float, float]) -> Any:
    """An empty `matplotlib.figure.Figure` of so many inches; a `UserError` if matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("drawing a chart takes matplotlib: pip install 'lite-vton[chart]'") from error
    # Figure and canvas without pyplot: no display is opened and no global state touched.
    figure = Figure(figsize=figsize, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: str | Path) -> Path:
    """Write it as a PNG at `path`, whole or not at all; returns the path."""
    target = Path(path)
    with whole_file(target) as draft:
        figure.savefig(draft, format="png", dpi=120)
    return target
