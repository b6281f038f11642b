"""What only imported networks have, an inverted mask's edge and CatVTON's skip, is exported and verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lite_vton.model.networks import Networks, random_networks, save_networks
from lite_vton.model.unet import EdgeConv, SkippedAttention, adapt
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.workflows.weights import load_model, run_files
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow

TINY = preset("tiny")


def inverted_mask(networks: Networks) -> None:
    """As an import from Paint-by-Example: beyond the picture's edge the mask is one."""
    adapt(networks.unet, ["conv_in.beyond"])  # type: ignore[arg-type]
    edge = networks.unet.conv_in
    assert isinstance(edge, EdgeConv)
    edge.beyond.copy_(torch.tensor([0.0] * 4 + [1.0] + [0.0] * 8))


def skipped_attention(networks: Networks) -> None:
    """As CatVTON: a normalisation where the cross-attention was."""
    blocks = [name for name, _ in networks.unet.named_modules() if name.endswith("transformer_blocks.0")]
    assert blocks
    adapt(networks.unet, [f"{name}.norm2.weight" for name in blocks])  # type: ignore[arg-type]
    for name in blocks:
        norm = networks.unet.get_submodule(f"{name}.norm2")
        torch.nn.init.normal_(norm.weight)  # type: ignore[arg-type]
        torch.nn.init.normal_(norm.bias)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "kind", "weight"),
    [(inverted_mask, EdgeConv, "conv_in.beyond"), (skipped_attention, SkippedAttention, "norm2.bias")],
)
def test_an_imported_run_is_exported_and_passes_verification(
    change: Callable[[Networks], None], kind: type, weight: str, tmp_path: Path, inputs: TryOnInputs
) -> None:
    made = random_networks(TINY)
    with torch.no_grad():
        change(made)
    save_networks(made, *run_files(tmp_path / "run"))
    assert any(name.endswith(weight) for name in load_file(tmp_path / "run/unet.safetensors"))

    networks = load_model(str(tmp_path / "run")).networks
    assert any(isinstance(module, kind) for module in networks.unet.modules())
    bundle = export_bundle(networks, inputs, tmp_path / "bundle", steps=2)
    report = verify(bundle, write=False)
    assert report.exit_code == 0, str(report)
    assert set(bundle.manifest.artifacts) == {"onnx-fp32", "onnx-fp16"}
