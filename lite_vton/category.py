"""The categories of garments: upper, lower, dress."""

from __future__ import annotations

from typing import Literal, get_args

from lite_vton.messages.choices import one_of

__all__ = ["Category", "as_category"]


Category = Literal["upper", "dress", "lower"]


def as_category(name: str) -> Category:
    """The category of that name; `UserError` where there is none."""
    categories: tuple[Category, ...] = get_args(Category)
    return one_of("garment category", name, categories)
