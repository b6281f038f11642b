"""A real bundle, small enough to export in seconds, and the torch modules it was made from."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lite_vton.bundle import (
    Artifact,
    Bundle,
    ComponentFiles,
    ComponentTensors,
    Manifest,
    ScheduleNumbers,
    Source,
    TensorSpec,
    record_files,
    unet_channels,
    write_bundle,
    write_manifest,
)
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_runtimes.sampling.schedule import alpha_bar, timesteps

CONFIG = replace(preset("tiny"), encoder_batch=1)
HEIGHT, WIDTH = CONFIG.height, CONFIG.width
LATENT = CONFIG.latent_shape
LATENT_SCALE = 0.7

TENSORS = {
    "vae_encoder": ComponentTensors(
        inputs=(TensorSpec(name="sample", shape=(1, 3, HEIGHT, WIDTH)),),
        outputs=(TensorSpec(name="latent_parameters", shape=(1, 8, *LATENT[2:])),),
    ),
    "unet": ComponentTensors(
        inputs=(
            TensorSpec(name="sample", shape=(1, 13, *LATENT[2:])),
            TensorSpec(name="timestep", shape=(1,), dtype="int64"),
        ),
        outputs=(TensorSpec(name="out_sample", shape=LATENT),),
    ),
    "vae_decoder": ComponentTensors(
        inputs=(TensorSpec(name="latent_sample", shape=LATENT),),
        outputs=(TensorSpec(name="sample", shape=(1, 3, HEIGHT, WIDTH)),),
    ),
}


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 8, stride=8), nn.SiLU(), nn.Conv2d(16, 8, 3, padding=1))

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(sample)
        return out


class Unet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(13, 16, 3, padding=1)
        self.leave = nn.Conv2d(16, 4, 3, padding=1)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        time = torch.sin(timestep.to(torch.float32) / 100.0)[:, None, None, None]
        out: torch.Tensor = self.leave(nn.functional.silu(self.enter(sample) + time))
        return out


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(4, 3, 8, stride=8)

    def forward(self, latent_sample: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(latent_sample))


@dataclass(frozen=True)
class Made:
    """The bundle and what it was exported from."""

    bundle: Bundle
    modules: dict[str, nn.Module]


def manifest_of(folder: Path, tensors: dict[str, ComponentTensors] | None = None) -> Manifest:
    """What describes the files in `folder`, as the exporter would write it."""
    files = {name: f"onnx-fp32/{name}/model.onnx" for name in TENSORS}
    return Manifest(
        model=CONFIG,
        source=Source(checkpoint="random", sha256=hashlib.sha256(b"random").hexdigest()),
        tools={"torch": torch.__version__},
        height=HEIGHT,
        width=WIDTH,
        latent_scale=LATENT_SCALE,
        default_steps=4,
        default_sampler="ddim",
        unet_channels=unet_channels(CONFIG),
        schedule=ScheduleNumbers(
            num_train_timesteps=CONFIG.schedule.num_train_timesteps,
            beta_start=CONFIG.schedule.beta_start,
            beta_end=CONFIG.schedule.beta_end,
            timesteps=tuple(timesteps(CONFIG.schedule, 4).tolist()),
            alphas_cumprod=tuple(alpha_bar(CONFIG.schedule).tolist()),
        ),
        components=tensors or TENSORS,
        artifacts={
            "onnx-fp32": Artifact(
                format="onnx",
                precision="fp32",
                components={n: ComponentFiles(model=f, precision_found="fp32") for n, f in files.items()},
            )
        },
        files=record_files(folder),
    )


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    torch.manual_seed(0)
    modules: dict[str, nn.Module] = {"vae_encoder": Encoder(), "unet": Unet(), "vae_decoder": Decoder()}
    target = tmp_path_factory.mktemp("bundles") / "small"
    with write_bundle(target) as folder:
        for name, module in modules.items():
            file = folder / f"onnx-fp32/{name}/model.onnx"
            file.parent.mkdir(parents=True)
            spec = TENSORS[name]
            arguments = tuple(torch.zeros(s.shape, dtype=getattr(torch, s.dtype)) for s in spec.inputs)
            torch.onnx.export(
                module.eval(),
                arguments,
                str(file),
                dynamo=True,
                opset_version=18,
                external_data=False,
                input_names=[s.name for s in spec.inputs],
                output_names=[s.name for s in spec.outputs],
                verbose=False,
            )
        write_manifest(folder, manifest_of(folder))
    return Made(Bundle.open(target), modules)


@pytest.fixture(scope="session")
def inputs() -> TryOnInputs:
    generator = np.random.default_rng(0)

    def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return generator.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)

    mask = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    mask[19:50, 11:40] = 1
    return TryOnInputs.compose(picture(), mask, picture(), mask, picture())


@pytest.fixture
def remade(made: Made, tmp_path: Path) -> Callable[[dict[str, ComponentTensors]], Bundle]:
    """The same files under a manifest that declares other tensors."""

    def remake(tensors: dict[str, ComponentTensors]) -> Bundle:
        with write_bundle(tmp_path / "other") as folder:
            shutil.copytree(made.bundle.root / "onnx-fp32", folder / "onnx-fp32")
            write_manifest(folder, manifest_of(folder, tensors))
        return Bundle.open(tmp_path / "other")

    return remake
