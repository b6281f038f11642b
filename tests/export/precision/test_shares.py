from __future__ import annotations

import pytest

from lite_vton_export.precision.shares import Product, overall, shares_of


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        ({}, "none"),
        ({"fp32": 1.0}, "fp32"),
        ({"int8": 0.9, "fp32": 0.1}, "int8"),
        ({"int8": 0.9, "bf16": 0.1}, "int8"),
        ({"int8": 0.4, "fp32": 0.6}, "mixed fp32/int8"),
        ({"int8": 0.9, "w8": 0.1}, "mixed int8/w8"),
        ({"p6": 0.9, "p8": 0.1}, "p6"),
        ({"p6": 0.4, "p8": 0.6}, "mixed p6/p8"),
        ({"p8": 0.9, "p6": 0.1}, "mixed p6/p8"),
        ({"bf16": 0.9, "fp32": 0.1}, "bf16"),
        ({"fp16": 0.9, "fp32": 0.1}, "mixed fp16/fp32"),
    ],
)
def test_one_word_for_shares(shares: dict[str, float], word: str) -> None:
    assert overall(shares) == word


def test_weights_and_multiplications_are_shares_of_their_own() -> None:
    shares = shares_of(
        [
            Product("a", "int8", "int8", 100, 3000),
            Product("b", "fp32", "bf16", 300, 1000),
            Product("b", "fp32", "bf16", 300, 1000),  # the same weights once more
        ]
    )
    assert shares.weights == {"int8": 0.25, "fp32": 0.75}
    assert shares.multiplications == {"int8": 0.6, "bf16": 0.4}


def test_a_network_without_products_has_no_shares() -> None:
    assert shares_of([]).multiplications == {}
    assert overall(shares_of([]).weights) == "none"
