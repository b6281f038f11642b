from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lite_vton.bundle import Artifact, Bundle
from lite_vton.errors import UserError
from lite_vton_export.parity.gates import GATES
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow

Damaged = Callable[[Callable[[Path], None]], Bundle]


def reweigh(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Rewrite the largest weight of an ONNX file."""
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    largest.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(largest)), largest.name))
    onnx.save(model, path)


def test_both_precisions_pass_their_gates_at_every_step(exported: Bundle) -> None:
    report = verify(exported, write=False)
    assert report
    assert report.exit_code == 0
    assert [row.artifact for row in report.artifacts] == ["onnx-fp32", "onnx-fp16"]
    for row in report.artifacts:
        assert set(row.found.values()) == {row.precision}
        assert len(row.calls) == 6  # one encoding of two pictures, three steps, two decodings
        assert min(call.psnr_db for call in row.calls) >= GATES[row.precision].psnr_db
        assert row.picture_psnr_db is not None
        assert row.picture_psnr_db >= 35
    assert "passed   onnx-fp16" in str(report)


def test_half_precision_is_really_less_exact(exported: Bundle) -> None:
    """Guards against fp16 files that some backend quietly runs in fp32, and against measuring nothing."""
    full, half = verify(exported, write=False).artifacts
    assert half.worst("unet").psnr_db < full.worst("unet").psnr_db - 20


def test_the_figures_are_in_the_manifest_and_the_report_in_the_bundle(exported: Bundle) -> None:
    report = json.loads(exported.path("verify.json").read_text())
    assert report["passed"] is True
    for name, artifact in exported.manifest.artifacts.items():
        (row,) = (row for row in report["artifacts"] if row["artifact"] == name)
        for component, files in artifact.components.items():
            assert files.precision_found == artifact.precision
            assert files.parity is not None
            calls = [call for call in row["calls"] if call["component"] == component]
            assert files.parity.psnr_db == min(call["psnr_db"] for call in calls)
        assert artifact.picture_psnr_db == row["picture_psnr_db"]


def test_weights_altered_a_little_fail(damaged: Damaged) -> None:
    def damage(root: Path) -> None:
        reweigh(root / "onnx-fp32/unet/model.onnx", lambda weight: weight * np.float32(1.25))

    bundle = damaged(damage)
    report = verify(bundle)
    full, half = report.artifacts
    assert (bool(report), bool(full), bool(half)) == (False, False, True)
    assert report.exit_code == 1
    assert any(failure.startswith("unet step") for failure in full.failures), full.failures
    assert json.loads((bundle.root / "verify.json").read_text())["passed"] is False


def test_networks_swapped_between_components_fail(damaged: Damaged) -> None:
    def damage(root: Path) -> None:
        shutil.copy(root / "onnx-fp32/vae_encoder/model.onnx", root / "onnx-fp32/vae_decoder/model.onnx")

    report = verify(damaged(damage), artifacts=["onnx-fp32"])
    assert report.exit_code == 1


def test_an_fp32_file_claimed_as_fp16_is_caught(damaged: Damaged) -> None:
    def damage(root: Path) -> None:
        shutil.copy(root / "onnx-fp32/unet/model.onnx", root / "onnx-fp16/unet/model.onnx")

    (half,) = verify(damaged(damage), artifacts=["onnx-fp16"]).artifacts
    assert half.failures == ("unet is fp32 inside, not fp16",)


def test_a_network_that_answers_nan_fails_and_says_so(damaged: Damaged) -> None:
    def damage(root: Path) -> None:
        reweigh(root / "onnx-fp16/unet/model.onnx", lambda weight: np.full_like(weight, np.nan))

    (half,) = verify(damaged(damage), artifacts=["onnx-fp16"]).artifacts
    assert any("NaN or infinite" in failure for failure in half.failures)
    assert half.picture_psnr_db is None


def test_an_empty_trajectory_lets_nothing_pass(damaged: Damaged) -> None:
    def damage(root: Path) -> None:
        with np.load(root / "golden/trajectory.npz") as archive:
            kept = {key: archive[key] for key in archive if not key.startswith("unet.")}
        np.savez(root / "golden/trajectory.npz", **kept)

    report = verify(damaged(damage), artifacts=["onnx-fp32"])
    assert report.exit_code == 1
    assert report.artifacts[0].failures == ("unet has no call in the golden trajectory",)


def test_the_gate_can_be_raised_and_lowered(exported: Bundle, damaged: Damaged) -> None:
    assert verify(exported, min_psnr=199.0, write=False).exit_code == 1

    def damage(root: Path) -> None:
        reweigh(root / "onnx-fp32/vae_decoder/model.onnx", lambda weight: weight * np.float32(1.02))

    bundle = damaged(damage)
    assert not verify(bundle, artifacts=["onnx-fp32"])
    assert verify(bundle, artifacts=["onnx-fp32"], min_psnr=30.0)


def test_an_unknown_artifact_and_a_bundle_without_golden_are_errors(exported: Bundle) -> None:
    with pytest.raises(UserError, match="it has onnx-fp32, onnx-fp16"):
        verify(exported, artifacts=["onnx-int8"], write=False)
    bare = Bundle(exported.root, exported.manifest.model_copy(update={"golden": None}))
    with pytest.raises(UserError, match="no golden trajectory"):
        verify(bare, write=False)


def test_an_artifact_of_a_format_unknown_here_is_skipped_with_the_reason(exported: Bundle) -> None:
    later = Artifact(format="later", precision="fp16", components={})
    bundle = Bundle(exported.root, exported.manifest.model_copy(update={"artifacts": {"later-fp16": later}}))
    report = verify(bundle, write=False)
    assert report.exit_code == 2
    assert not report
    assert "skipped  later-fp16: this lite-vton cannot run 'later' artifacts" in str(report)


def test_a_zipped_bundle_verifies_as_the_folder_does(exported: Bundle, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "b"), "zip", exported.root)
    zipped = verify(Bundle.open(tmp_path / "b.zip"), artifacts=["onnx-fp16"], write=False)
    assert zipped
    assert zipped == verify(exported, artifacts=["onnx-fp16"], write=False)
