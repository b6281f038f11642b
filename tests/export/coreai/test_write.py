"""Core AI assets are written, run by the interpreter, and held to the gates; a wrong one is caught by its numbers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from lite_vton import load
from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.components import components_of
from lite_vton.model.networks import Networks
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.precision.half_module import in_half_precision
from lite_vton_export.verify.run import verify

pytest.importorskip("coreai_torch", reason="needs Core AI's packages: pip install 'lite-vton[coreai]'")

from lite_vton_export.coreai.write import export_coreai, found_coreai_precision

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("coreai") / "tiny"
    return export_bundle(networks, inputs, target, ("coreai",), ("fp32", "fp16"), steps=2)


def test_both_precisions_pass_the_gates_and_are_what_they_are_called(written: Bundle) -> None:
    report = verify(written, write=False)
    assert report.exit_code == 0, str(report)
    assert [set(artifact.found.values()) for artifact in report.artifacts] == [{"fp32"}, {"fp16"}]
    fp32, fp16 = (min(call.psnr_db for call in artifact.calls) for artifact in report.artifacts)
    assert fp32 > 110
    assert 40 < fp16 < 100


def test_it_is_a_backend_like_any_other(written: Bundle) -> None:
    with pytest.raises(UserError, match="no execution provider"):
        load(written, "coreai", "fp32", provider="CPUExecutionProvider")
    runtime = load(written, "coreai", "fp16")
    assert runtime.name == "coreai-fp16"
    assert set(runtime.components) == set(written.manifest.components)
    runtime.close()
    runtime.close()


def test_normalisations_stay_in_float32_and_the_ends_too() -> None:
    half = in_half_precision(nn.Sequential(nn.Conv2d(4, 8, 1), nn.GroupNorm(2, 8), nn.Conv2d(8, 4, 1)))
    kinds = {name: weight.dtype for name, weight in half.named_parameters()}
    assert {kind for name, kind in kinds.items() if "norm" in name} == {torch.float32}
    assert {kind for name, kind in kinds.items() if "norm" not in name} == {torch.float16}
    assert half(torch.zeros(1, 4, 2, 2)).dtype == torch.float32


class Swapped(nn.Module):
    """The U-Net, shown the pose where it looks for the person."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        noisy, mask, person, pose = sample.split([4, 1, 4, 4], dim=1)
        answer: torch.Tensor = self.unet(torch.cat([noisy, mask, pose, person], dim=1), timestep)
        return answer


def scaled(unet: nn.Module) -> nn.Module:
    with torch.no_grad():
        for name, weight in unet.named_parameters():
            if name.endswith("conv_out.weight"):
                weight.mul_(1.05)
    return unet


@pytest.mark.parametrize("wrong", [scaled, Swapped], ids=["one layer 5 % off", "inputs swapped"])
def test_an_asset_of_another_network_fails_by_its_numbers_alone(
    spoilt: Callable[[Callable[[Path], object]], Bundle], networks: Networks, wrong: Callable[[nn.Module], nn.Module]
) -> None:
    import copy

    spec = components_of(networks.config)["unet"]
    module = wrong(copy.deepcopy(spec.wrap(networks)))
    scale = networks.latent_scale
    bundle = spoilt(
        lambda root: export_coreai(
            module, spec, networks.config, {"fp32": root / "coreai-fp32/unet"}, latent_scale=scale
        )
    )
    report = verify(bundle, artifacts=["coreai-fp32"], write=False)
    assert report.exit_code == 1
    failures = report.artifacts[0].failures
    assert all("unet step" in text or "final picture" in text for text in failures), failures


def test_another_precision_in_its_place_fails(spoilt: Callable[[Callable[[Path], object]], Bundle]) -> None:
    def swap(root: Path) -> None:
        shutil.rmtree(root / "coreai-fp32/unet")
        shutil.copytree(root / "coreai-fp16/unet", root / "coreai-fp32/unet")

    report = verify(spoilt(swap), artifacts=["coreai-fp32"], write=False)
    assert report.exit_code == 1
    assert "unet is fp16 inside, not fp32" in report.artifacts[0].failures


def test_a_program_cut_short_is_one_line(spoilt: Callable[[Callable[[Path], object]], Bundle]) -> None:
    def cut(root: Path) -> None:
        program = root / "coreai-fp16/vae_decoder/model.aimodel/main.mlirb"
        program.write_bytes(program.read_bytes()[:-1000])

    bundle = spoilt(cut)
    with pytest.raises(UserError, match=r"model\.aimodel is damaged"):
        load(bundle, "coreai", "fp16")
    assert verify(bundle, artifacts=["coreai-fp16"], write=False).exit_code == 1
    with pytest.raises(UserError, match="no whole Core AI asset"):
        found_coreai_precision(bundle.root / "coreai-fp16")


def test_a_precision_it_does_not_have_is_refused(tmp_path: Path, networks: Networks) -> None:
    spec = components_of(networks.config)["vae_decoder"]
    with pytest.raises(UserError, match="not written in 'int8'"):
        export_coreai(spec.wrap(networks), spec, networks.config, {"int8": tmp_path / "a"})
    assert list(tmp_path.iterdir()) == []
