from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import skia
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.data.drawn.drape import Sleeve, flat_frame, flat_sleeves, lay_sleeve, worn_sleeves
from lite_vton.data.drawn.fabric import PATTERNS, PRINTS, Print, draw_fabric, paint_fabric, paint_print
from lite_vton.data.drawn.garment import CUTS, Garment, body_outline, draw_garment
from lite_vton.data.drawn.letters import LETTERS, lettering
from lite_vton.data.drawn.person import ARMS, draw_person
from lite_vton.data.drawn.scene import BACKGROUNDS
from lite_vton.data.drawn.stage import Light, Stage
from lite_vton.data.drawn.tube import bend, profile


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


@pytest.mark.parametrize("table", [PATTERNS, PRINTS, ARMS, BACKGROUNDS])
def test_shares_of_each_table_add_up(table: dict[str, tuple[float, object]]) -> None:
    assert sum(share for share, _ in table.values()) == pytest.approx(1)


def test_shares_of_the_cuts_add_up() -> None:
    assert sum(cut.share for cut in CUTS.values()) == pytest.approx(1)


def test_every_letter_stays_on_its_grid_and_differs_from_the_others() -> None:
    assert len({str(strokes) for strokes in LETTERS.values()}) == len(LETTERS)
    for letter, strokes in LETTERS.items():
        corners = [corner for stroke in strokes for corner in stroke]
        assert all(len(stroke) >= 2 for stroke in strokes), letter
        assert all(0 <= x <= 4 and 0 <= y <= 6 for x, y in corners), letter


def test_lettering_is_centred_and_as_wide_as_asked() -> None:
    bounds = lettering("HELM", 40).getBounds()
    assert bounds.width() == pytest.approx(40, abs=0.01)
    assert bounds.centerX() == pytest.approx(0, abs=0.01)


def _painted(paint: Callable[[skia.Canvas], None]) -> np.ndarray:
    pixels = np.zeros((80, 80, 4), np.uint8)
    canvas = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    canvas.translate(40, 40)
    paint(canvas)
    return pixels


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - {"plain"}))
def test_a_pattern_shows_its_second_colour_on_the_first(name: str) -> None:
    fabric = replace(
        draw_fabric(_rng(1)), pattern=name, colors=((1, 0, 0), (0, 0, 1), (0, 1, 0)), period=12.0, width=0.4, phase=0.1
    )
    pixels = _painted(lambda canvas: paint_fabric(canvas, fabric))
    red, blue = pixels[..., 0] > 200, pixels[..., 2] > 100
    assert red.any()
    assert blue.any()


@pytest.mark.parametrize("kind", sorted(PRINTS))
def test_a_print_stays_near_its_size(kind: str) -> None:
    motif = Print(kind, (1, 0, 0), (0, 1, 0), 30.0, "WAVE", 0.0, 0.3)
    rows, columns = np.nonzero(_painted(lambda canvas: paint_print(canvas, motif))[..., 3])
    assert 20 <= np.ptp(columns) <= 36
    assert np.ptp(rows) <= 36


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_people_have_finite_joints_in_human_order(seed: int) -> None:
    person = draw_person(_rng(seed))
    joints = person.joints
    assert np.isfinite(joints).all()
    assert joints[2, 0] < joints[1, 0] < joints[5, 0], "right shoulder, neck, left shoulder as a viewer sees them"
    assert joints[0, 1] < joints[1, 1] < joints[8, 1] < joints[9, 1], "nose, neck, hip, knee from the top"
    assert all(0 < channel <= 1 for channel in person.skin)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_garments_are_symmetric_and_open_at_the_neck(seed: int) -> None:
    garment = draw_garment(_rng(seed))
    outline = body_outline(garment)
    mirrored = outline * (-1, 1)
    gaps = np.abs(outline[:, None] - mirrored[None]).sum(-1).min(axis=1)
    assert gaps.max() < 1e-6
    assert garment.neck_depth < 0.4 < garment.hem


def test_profile_passes_through_its_knots_and_bend_keeps_the_ends() -> None:
    knots = {0.0: 3.0, 0.4: 5.0, 1.0: 2.0}
    assert profile(np.array(list(knots)), knots) == pytest.approx(list(knots.values()))
    line = bend(np.array([0.0, 0.0]), np.array([0.0, 10.0]), np.array([8.0, 10.0]), rows=30)
    assert line[0] == pytest.approx([0, 0])
    assert line[-1] == pytest.approx([8, 10])
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    assert steps.max() < 1.3 * steps.min()


def test_a_surface_that_faces_the_viewer_is_lit_evenly_and_one_turned_away_is_darker() -> None:
    light = Light((-0.6, 0.0, 0.8), 0.7)
    front, left, right = light.on(np.array([[0, 0, 1.0], [-0.7, 0, 0.714], [0.7, 0, 0.714]]))
    assert front == pytest.approx(1.0)
    assert right < front < left


def _stripes(garment: Garment, sleeve: Sleeve) -> int:
    """Crossed on the way down the sleeve."""
    stage = Stage(256, 192, Light((0.0, 0.0, 1.0), 0.0))
    lay_sleeve(stage, garment, sleeve, 255, lambda uv: np.zeros(uv.shape[:-1]))
    way = np.linspace(0.02, 0.9, 400) * (len(sleeve.line) - 1)
    x, y = (np.interp(way, np.arange(len(sleeve.line)), sleeve.line[:, k]) for k in (0, 1))
    red = stage.picture()[y.astype(int), x.astype(int), 0] > 0.5
    return int(np.abs(np.diff(red.astype(int))).sum())


def test_a_sleeve_shows_the_same_cloth_flat_and_on_arms_of_any_size() -> None:
    garment = draw_garment(_rng(1))
    fabric = replace(
        garment.fabric, pattern="stripes across", colors=((1, 0, 0), (0, 0, 1), (0, 1, 0)), period=14.0, width=0.5
    )
    garment = replace(garment, fabric=fabric, sleeve=1.0, collar=False)
    flat = flat_sleeves(garment, flat_frame(garment, np.array([96.0, 60.0]), 1.2), 1.2, 15.0)[1]
    people = sorted((draw_person(_rng(seed)) for seed in range(20)), key=lambda person: person.size)
    counts = {_stripes(garment, worn_sleeves(person, garment)[1]) for person in (people[0], people[-1])}
    counts.add(_stripes(garment, flat))
    assert max(counts) - min(counts) <= 1, counts
    assert min(counts) > 8
