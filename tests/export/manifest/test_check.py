"""A manifest that would mislead a port is refused or fails verification, whichever of its values was changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lite_vton.bundle import Bundle, Calibration, parse_manifest, record_files, write_manifest
from lite_vton.errors import UserError
from lite_vton_export.manifest.check import manifest_faults
from lite_vton_export.parity.golden import Trajectory, load_trajectory
from lite_vton_export.verify.file import write_verdicts
from lite_vton_export.verify.run import ArtifactReport, Report, verify

pytestmark = pytest.mark.slow

INFORMATIVE = {
    "source.checkpoint": "names where the weights came from; what they are is in source.sha256",
    "tools": "versions of what wrote it; another version may verify it",
    "machine": "where it was measured; another machine may verify it",
    "kept_in_float32": "reasons for people; what is in float32 is read from each file",
    "calibration.source": "names where the people came from",
    "calibration.people": "how many they were; their calls are in no file",
    "artifacts.*.options": "what the exporter was told; what came of it is read from each file",
}
"""Fields that nothing is computed from, and why each one is no lie that a port could act on."""


def leaves(value: Any, where: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value that is no container; of long lists the first and the last."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*where, key))
    elif isinstance(value, list) and value:
        for index in sorted({0, len(value) - 1}):
            yield from leaves(value[index], (*where, index))
    else:
        yield where, value


def another(value: Any, where: tuple[str | int, ...]) -> Any:
    """A plausible other value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.1 if value else 0.1
    if value is None:
        return {"weights": "weights", "decoder_tile": [4, 4]}.get(str(where[-1]), 1.5)
    if isinstance(value, list):
        return ["other"]
    return f"{value[:-1]}{'0' if value[-1:] != '0' else '1'}" if where[-1] == "sha256" else f"{value}x"


def is_informative(where: tuple[str | int, ...]) -> bool:
    words = [str(part) for part in where]
    for known in INFORMATIVE:
        parts = known.split(".")
        if len(words) >= len(parts) and all(part in ("*", word) for part, word in zip(parts, words, strict=False)):
            return True
    return False


def changed(manifest: dict[str, Any], where: tuple[str | int, ...]) -> dict[str, Any]:
    copy = json.loads(json.dumps(manifest))
    place = copy
    for part in where[:-1]:
        place = place[part]
    place[where[-1]] = another(place[where[-1]], where)
    return copy


@pytest.fixture(scope="module")
def copied(fused: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with fused artifacts, whose manifest says what it was calibrated on."""
    root = tmp_path_factory.mktemp("changed") / "tiny"
    shutil.copytree(fused.root, root)
    calibration = Calibration(source="drawn people", people=2, steps=3, seed=8)
    write_manifest(root, fused.manifest.model_copy(update={"calibration": calibration}))
    return root


def is_found_unrun(root: Path, golden: Trajectory) -> bool:
    """Whether the manifest is found to be wrong before anything runs; cheapest first."""
    try:
        path = root / "manifest.json"
        if manifest_faults(Bundle(root, parse_manifest(path.read_bytes(), str(path))), golden):
            return True
        bundle = Bundle.open(root)
        bundle.path(str(bundle.manifest.golden))
    except UserError:
        return True
    return False


NAMED_BY_THE_BUNDLE = {"artifacts", "components", "files", "fused", "gates"}


def kind_of(where: tuple[str | int, ...]) -> tuple[str, ...]:
    """The field, whichever artifact, component, file or call it is of."""
    names = [part for part in where if isinstance(part, str)]
    return tuple(name for of, name in zip(("", *names), names, strict=False) if of not in NAMED_BY_THE_BUNDLE)


def test_an_untouched_bundle_has_no_fault(copied: Path) -> None:
    bundle = Bundle.open(copied)
    assert manifest_faults(bundle, load_trajectory(bundle.path(str(bundle.manifest.golden)))) == ()


def test_every_value_that_a_port_reads_is_compared(copied: Path) -> None:
    """Every field of the manifest, each in one of its places; those that only show when an artifact runs too."""
    path = copied / "manifest.json"
    whole = path.read_text()
    manifest = json.loads(whole)
    golden = load_trajectory(copied / manifest["golden"])
    fields: dict[tuple[str, ...], list[tuple[str | int, ...]]] = {}
    for where, _ in leaves(manifest):
        if not is_informative(where):
            fields.setdefault(kind_of(where), []).append(where)
    draw = Random(0)
    late: dict[str, list[tuple[str | int, ...]]] = {}
    for field, places in fields.items():
        where = draw.choice(places)
        path.write_text(json.dumps(changed(manifest, where)))
        if not is_found_unrun(copied, golden):
            late.setdefault(field[-1], []).append(where)
    believed = []
    for places in late.values():  # of whole artifacts or of fused ones
        where = draw.choice(places)
        path.write_text(json.dumps(changed(manifest, where)))
        artifact = str(where[1]) if len(where) > 1 else "onnx-fp32"
        if verify(Bundle.open(copied), artifacts=[artifact], write=False).exit_code != 1:
            believed.append(".".join(map(str, where)))
    path.write_text(whole)
    assert believed == []
    assert set(late) >= {"precision_found", "psnr_db", "cosine", "max_abs", "echoes", "picture_psnr_db"}


def test_a_calibration_on_nobody_is_refused_at_opening(copied: Path) -> None:
    path = copied / "manifest.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"calibration": {"source": "", "people": 0, "steps": 3, "seed": 8}}))
    with pytest.raises(UserError, match="people"):
        Bundle.open(copied)
    path.write_text(whole)


@pytest.mark.parametrize("scale", ["0", "-1", "1e999", "NaN", "Infinity"])
def test_a_latent_scale_that_is_none_is_refused_at_opening(copied: Path, scale: str) -> None:
    path = copied / "manifest.json"
    whole = path.read_text()
    path.write_text(whole.replace(f'"latent_scale": {json.loads(whole)["latent_scale"]}', f'"latent_scale": {scale}'))
    assert path.read_text() != whole
    with pytest.raises(UserError):
        Bundle.open(copied)
    path.write_text(whole)


@pytest.mark.parametrize(
    "name",
    [
        "scheduler/scheduler_config.json",
        "onnx-fp32/scheduler/scheduler_config.json",
        "onnx-fp16/vae_decoder/config.json",
    ],
)
def test_what_diffusers_reads_has_to_agree(exported: Bundle, tmp_path: Path, name: str) -> None:
    root = tmp_path / "tiny"
    shutil.copytree(exported.root, root)
    said = json.loads((root / name).read_text())
    key = "beta_end" if "beta_end" in said else "scaling_factor"
    (root / name).write_text(json.dumps(said | {key: said[key] * 2}))
    write_manifest(root, exported.manifest.model_copy(update={"files": record_files(root)}))
    bundle = Bundle.open(root)
    (fault,) = manifest_faults(bundle, load_trajectory(bundle.path("golden/trajectory.npz")))
    assert fault.startswith(f"{name} says {key} is")


def test_the_line_names_the_field_and_the_command_fails(copied: Path) -> None:
    path = copied / "manifest.json"
    whole = path.read_text()
    path.write_text(json.dumps(changed(json.loads(whole), ("schedule", "timesteps", 0))))
    verdicts = copied / "verify.json"
    before = verdicts.read_text()
    report = verify(Bundle.open(copied), artifacts=["onnx-fp32"])
    written = json.loads(verdicts.read_text())
    path.write_text(whole)
    verdicts.write_text(before)
    assert report.exit_code == 1
    assert "FAILED   manifest.json says schedule.timesteps.0 is 600, its files say 599" in str(report)
    assert report.to_json()["passed"] is False
    assert written["passed"] is False
    assert written["manifest"] == list(report.manifest)


def test_a_wrong_manifest_is_written_down_where_nothing_could_run(copied: Path) -> None:
    verdicts = copied / "verify.json"
    before = verdicts.read_text()
    skipped = ArtifactReport("onnx-fp32", "fp32", {}, (), None, (), skipped="no device")
    assert not write_verdicts(Bundle.open(copied), Report((skipped,)))
    assert verdicts.read_text() == before
    assert write_verdicts(Bundle.open(copied), Report((skipped,), ("manifest.json says height is 65",)))
    written = json.loads(verdicts.read_text())
    verdicts.write_text(before)
    assert (written["passed"], written["manifest"]) == (False, ["manifest.json says height is 65"])
    assert written["artifacts"] == json.loads(before)["artifacts"]  # rows of a run that could are kept
