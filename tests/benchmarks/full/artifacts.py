"""Bundles to benchmark: random weights, exported and verified once, and reused as long as nothing they come of changes.

An artifact that misses a gate is kept, unlike in an export: what random weights do to a cosine says nothing about
speed. The page says beside each figure how far its artifact was from torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from lite_vton.bundle import Artifact, Bundle, Calibration, write_bundle, write_manifest
from lite_vton.data.held_out import held_out_pairs
from lite_vton.errors import UserError
from lite_vton.model.components import component_tensors
from lite_vton.model.networks import random_networks, save_networks
from lite_vton.presets.autoencoders import autoencoder_kind
from lite_vton.presets.config import ModelConfig
from lite_vton_export.bundle.artifacts import Origin, write_artifacts
from lite_vton_export.bundle.calibration import record_calibration, record_in_torch
from lite_vton_export.bundle.plan import Plan
from lite_vton_export.formats import FORMATS
from lite_vton_export.manifest.describe import WEIGHTS_PATH, manifest_of
from lite_vton_export.options import ExportOptions
from lite_vton_export.parity.golden import GOLDEN_PATH, save_trajectory
from lite_vton_export.parity.machine import tool_versions
from lite_vton_export.verify.run import verify

__all__ = ["CHECKOUT", "bundle_of", "key_of"]

CHECKOUT = Path(__file__).parents[3]
_MADE_BY = (
    "export/lite_vton_export/onnx/*.py",
    "export/lite_vton_export/openvino/*.py",
    "export/lite_vton_export/precision/*.py",
    "lite_vton/model/*.py",
)
"""What decides what is in an artifact, beside the versions of tools; from the root of the checkout."""
_STEPS = 4


def bundle_of(
    config: ModelConfig, artifacts: Sequence[str], folder: Path, say: Callable[[str], None]
) -> tuple[Bundle, dict[str, str]]:
    """A bundle below `folder` with `artifacts` ("openvino-int8"), made if it is not there; and why some are missing.

    What is there is opened with its hashes checked. Making one takes minutes and, of a full-size model, 8 GB.
    """
    target = folder / f"{config.name}-{autoencoder_kind(config)}-{key_of(config, artifacts)[:12]}"
    reasons = target.with_name(f"{target.name}.left-out.json")
    if not (target.exists() and reasons.exists()):
        left_out = _make(config, artifacts, target, say)
        reasons.write_text(json.dumps(left_out, indent=1) + "\n", encoding="utf-8")
    return Bundle.open(target), json.loads(reasons.read_text(encoding="utf-8"))


def key_of(config: ModelConfig, artifacts: Sequence[str]) -> str:
    """sha256 over the model's shape, what is wanted, the exporters' sources and the versions of what they call."""
    digest = hashlib.sha256(repr((config, sorted(artifacts), sorted(tool_versions().items()))).encode())
    for pattern in _MADE_BY:
        for file in sorted(CHECKOUT.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _make(config: ModelConfig, artifacts: Sequence[str], target: Path, say: Callable[[str], None]) -> dict[str, str]:
    left_out: dict[str, str] = {}
    pairs = [tuple(name.split("-")) for name in artifacts]
    calibrated = any(precision in FORMATS[row].calibrated for row, precision in pairs)
    networks = random_networks(config)
    with write_bundle(target, overwrite=True) as folder:
        say(f"{target.name}: weights and golden trajectory")
        weights = (folder / WEIGHTS_PATH / "autoencoder.safetensors", folder / WEIGHTS_PATH / "unet.safetensors")
        save_networks(networks, *weights)
        with held_out_pairs(2, config.height, config.width, mask=config.mask) as drawn:
            person, other = (drawn[0].inputs, drawn[1].inputs)
        golden = record_in_torch(networks, person, steps=_STEPS, seed=0)
        save_trajectory(golden, folder / GOLDEN_PATH)
        feeds = record_calibration(networks, [other], steps=_STEPS, seed=1) if calibrated else {}
        source = Calibration(source="held-out drawn pairs", people=1, steps=_STEPS, seed=1) if calibrated else None

        made: dict[str, Artifact] = {}
        # Integer precisions by themselves: a format one of whose precisions cannot be made loses all asked for at once.
        for wanted in ("float", "calibrated"):
            rows = tuple(
                (FORMATS[row], precision)
                for row, precision in pairs
                if (precision in FORMATS[row].calibrated) == (wanted == "calibrated")
            )
            written, _ = write_artifacts(
                Origin(config, networks.latent_scale, networks),
                Plan(target, rows, config.components),
                folder,
                golden,
                feeds,
                ExportOptions(),
                lambda stage: say(f"{target.name}: {stage}"),
                lambda name, reason: left_out.update({name: reason}),
            )
            made |= written
        if artifacts and not made:
            raise UserError(f"nothing of {target.name} could be exported: {left_out}")
        tensors = component_tensors(config)
        write_manifest(
            folder, manifest_of(config, networks.latent_scale, tensors, made, "random weights", source, folder)
        )
        verify(Bundle.open(folder, check=False), on_progress=lambda stage: say(f"{target.name}: {stage}"))
    return left_out
