from __future__ import annotations

import pytest

from lite_vton.bundle import Parity
from lite_vton_export.parity.gates import GATES
from lite_vton_export.parity.machine import machine
from lite_vton_export.verify.regression import regressions

THEN = Parity(psnr_db=41.0, cosine=1.0, max_abs=0.1, echoes=((0.0,) * 16, (1.0,) * 16))
SAME = [tuple(echo) for echo in THEN.echoes]
NEAR = [(1e-3, *SAME[0][1:]), SAME[1]]  # 72 dB


@pytest.mark.parametrize(("psnr_db", "passes"), [(41.0, True), (35.5, True), (34.5, False), (60.0, True)])
def test_elsewhere_the_error_may_double_but_no_more(psnr_db: float, passes: bool) -> None:
    found = regressions(psnr_db, NEAR, THEN, GATES["int8"], same=False, component="unet")
    assert (not found) == passes
    assert all(text.startswith("unet: ") and "41.0 dB when it was exported" in text for text in found)


def test_far_above_the_gate_a_fall_means_nothing() -> None:
    then = Parity(psnr_db=150.0, cosine=1.0, max_abs=0.0)
    assert regressions(95.0, [], then, GATES["fp32"], same=False, component="unet") == []
    assert regressions(90.0, [], then, GATES["fp32"], same=False, component="unet")


@pytest.mark.parametrize(("echoes", "passes"), [(SAME, True), (NEAR, False), (SAME[:1], False), (SAME[::-1], False)])
def test_where_it_was_exported_it_answers_as_it_did(echoes: list[tuple[float, ...]], passes: bool) -> None:
    found = regressions(41.0, echoes, THEN, GATES["int8"], same=True, component="unet")
    assert (not found) == passes
    assert all(text.startswith("unet answers otherwise") for text in found)


def test_a_bundle_without_echoes_is_held_to_its_figures_alone() -> None:
    then = THEN.model_copy(update={"echoes": ()})
    assert regressions(41.0, NEAR, then, GATES["int8"], same=True, component="unet") == []


def test_another_number_of_threads_is_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.add(machine.__wrapped__())
    assert len(found) == 2
