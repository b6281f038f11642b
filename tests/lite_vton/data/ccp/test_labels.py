from __future__ import annotations

import pytest

from lite_vton.data.ccp.labels import MEANINGS, Kind, meanings_of
from lite_vton.errors import UserError
from lite_vton.person.parse_labels import GARMENT, Part
from tests.lite_vton.data.ccp.drawn_source import LABELS


def test_each_of_the_59_names_has_a_meaning_and_no_other() -> None:
    assert len(LABELS) == 59
    assert set(MEANINGS) == set(LABELS)


def test_meanings_follow_the_order_of_the_names() -> None:
    assert meanings_of(["null", "coat", "bag", "skin"]).tolist() == [0, Part.COAT, Kind.OVER, Kind.SKIN]


def test_kinds_and_parts_are_told_apart_by_their_values() -> None:
    assert not {int(kind) for kind in Kind} & {int(part) for part in Part}


def test_what_is_carried_is_no_garment() -> None:
    carried = {name for name, meaning in MEANINGS.items() if meaning == Kind.OVER}
    assert {"bag", "purse", "wallet", "scarf", "belt"} <= carried
    assert not carried & {name for name, meaning in MEANINGS.items() if meaning in GARMENT}


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(UserError, match="names 'spacesuit', no label"):
        meanings_of(["null", "spacesuit", "coat"])
