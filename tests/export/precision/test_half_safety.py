"""A network that float16 cannot hold: what overflows is found at export, kept in float32, and said in the manifest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from lite_vton.bundle import Bundle, KeptInFloat32, record_files, write_manifest
from lite_vton.model.components import components_of
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.formats import FORMATS
from lite_vton_export.onnx.precision import found_precision, precision_shares
from lite_vton_export.onnx.write import export_onnx
from lite_vton_export.precision.half_module import in_half_precision
from lite_vton_export.precision.half_safety import float32_products, unsafe_modules
from lite_vton_export.precision.rules import FP32_NODES
from lite_vton_export.verify.run import verify

pytestmark = pytest.mark.slow

HALVED = [name for name, row in FORMATS.items() if row.keeps_float32 and not row.missing]
"""Formats that keep in float32 what was measured, as far as their packages are here."""
FACTOR = 2e5


@pytest.fixture(scope="module")
def overflowing() -> Networks:
    """The tiny model with values beyond 65504 inside an attention and a feed-forward; it answers as before."""
    made = random_networks(preset("tiny"))
    block = made.unet.get_submodule("down_blocks.1.attentions.0.transformer_blocks.0")
    hidden = block.ff.net[0].proj.weight.shape[0] // 2  # the other half is the gate
    with torch.no_grad():
        block.ff.net[0].proj.weight[:hidden] *= FACTOR
        block.ff.net[0].proj.bias[:hidden] *= FACTOR
        block.ff.net[2].weight /= FACTOR
        block.attn1.to_v.weight *= FACTOR
        block.attn1.to_out[0].weight /= FACTOR
    return replace(made, latent_scale=0.5)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, overflowing: Networks, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("kept") / "tiny"
    return export_bundle(overflowing, inputs, target, HALVED, ("fp32", "fp16"), steps=2)


def test_every_format_passes_the_gates_of_fp16_and_is_called_so(kept: Bundle) -> None:
    report = verify(kept, write=False)
    assert report.exit_code == 0, str(report)
    found = {artifact.artifact: set(artifact.found.values()) for artifact in report.artifacts}
    assert {name: {name.partition("-")[2]} for name in found} == found
    assert "onnx-fp16" in found


def test_the_manifest_says_which_nodes_and_why(kept: Bundle) -> None:
    said = kept.manifest.kept_in_float32
    assert set(said) == {"vae_encoder", "unet", "vae_decoder"}
    assert said["vae_encoder"].nodes == said["vae_decoder"].nodes == {}
    unet = said["unet"]
    assert unet.calls == 2
    assert all("float16 ends at 65504" in reason for reason in unet.nodes.values())
    block = "unet.down_blocks.1.attentions.0.transformer_blocks.0"
    assert {f"{block}.attn1.to_v", f"{block}.ff.net.0", f"{block}.ff.net.2"} <= set(unet.modules)
    assert list(unet.blocks) == [f"{block}.attn1"]
    assert all(path.startswith(block) for path in unet.modules)
    nodes = {node.name for node in onnx.load(kept.path("onnx-fp32/unet/model.onnx")).graph.node}
    assert set(unet.nodes) <= nodes
    assert Bundle.open(kept.root).manifest.kept_in_float32 == said


def test_what_is_kept_is_float32_in_the_file_and_nothing_else(kept: Bundle) -> None:
    path = kept.path("onnx-fp16/unet/model.onnx")
    shares = precision_shares(path).multiplications
    assert 0 < shares["fp32"] < 0.2
    without = precision_shares(path, without=kept.manifest.kept_in_float32["unet"].nodes)
    assert without.multiplications.keys() == {"fp16"}


def test_float32_that_a_file_does_not_own_up_to_is_not_fp16(kept: Bundle, tmp_path: Path) -> None:
    model = onnx.load(kept.path("onnx-fp16/unet/model.onnx"))
    (said,) = (entry for entry in model.metadata_props if entry.key == FP32_NODES)
    model.metadata_props.remove(said)
    onnx.save(model, tmp_path / "model.onnx")
    assert found_precision(tmp_path / "model.onnx") == "mixed fp16/fp32"


def test_plain_float16_fails(overflowing: Networks, kept: Bundle, tmp_path: Path) -> None:
    spec = components_of(overflowing.config)["unet"]
    module = spec.wrap(overflowing)
    root = shutil.copytree(kept.root, tmp_path / "plain")
    shutil.rmtree(root / "onnx-fp16/unet")
    export_onnx(module, spec, overflowing.config, {"fp16": root / "onnx-fp16/unet"}, latent_scale=0.5)
    write_manifest(root, kept.manifest.model_copy(update={"files": record_files(root)}))
    report = verify(Bundle.open(root), artifacts=["onnx-fp16"], write=False)
    assert report.exit_code == 1
    assert "unet step 0" in report.artifacts[0].failures[0]


def test_a_torch_module_in_half_precision_keeps_the_same_modules(overflowing: Networks, kept: Bundle) -> None:
    module = components_of(overflowing.config)["unet"].wrap(overflowing)
    said = kept.manifest.kept_in_float32["unet"]
    sample, timestep = torch.randn(1, 13, 8, 6), torch.tensor([300])
    with torch.no_grad():
        exact = module(sample, timestep)
        plain = in_half_precision(module)(sample, timestep)
        careful = in_half_precision(module, unsafe_modules(module, said))(sample, timestep)
    assert not torch.isfinite(plain).all()
    assert torch.allclose(careful, exact, atol=2e-2)
    # Four linear layers of the attention and its two products with each other, and two of the feed-forward.
    assert float32_products(module, said) == 8


def test_a_block_whose_own_sum_overflows_stays_whole_and_others_do_not() -> None:
    class Summing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            total: torch.Tensor = self.first(x) + self.second(x)
            return total

    net = nn.Sequential(Summing(), nn.Linear(4, 4))
    with torch.no_grad():
        for layer in (net[0].first, net[0].second):  # type: ignore[union-attr]
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, 40_000.0)
        nn.init.constant_(net[1].weight, 1e-3)
    said = KeptInFloat32(calls=1, nodes={}, modules={"0": "", "1": ""}, blocks={"0": ""})
    assert unsafe_modules(net, said) == {"0", "0.first", "0.second", "1"}
    x = torch.zeros(1, 4)
    assert not torch.isfinite(in_half_precision(net)(x)).all()
    assert torch.allclose(in_half_precision(net, unsafe_modules(net, said))(x), net(x))


def test_a_safe_network_keeps_nothing(exported: Bundle) -> None:
    for said in exported.manifest.kept_in_float32.values():
        assert (said.nodes, said.modules, said.blocks) == ({}, {}, {})
    assert exported.manifest.kept_in_float32.keys() == exported.manifest.components.keys()
