"""`lite-vton import` ends with a run that the other verbs take, or with nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lite_vton.cli import main
from lite_vton.model.autoencoder_kl import KLAutoencoder
from lite_vton.model.image_encoder import build_image_encoder
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import AutoencoderKLConfig
from lite_vton.presets.table import preset
from lite_vton.workflows.weights import load_model

pytestmark = pytest.mark.slow

CLIP = preset("tiny-clip")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A diffusers pipeline of Stable Diffusion's kind, at the size of tiny-clip."""
    from diffusers import AutoencoderKL

    shape = CLIP.autoencoder
    assert isinstance(shape, AutoencoderKLConfig)
    folder = tmp_path / "source"
    alone = replace(CLIP, unet=replace(CLIP.unet, conditions=("noisy_latent",)))
    build_unet(alone).save_pretrained(folder / "unet")
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=shape.channels,
        layers_per_block=shape.layers_per_block,
        norm_num_groups=shape.norm_groups,
    )
    autoencoder.load_state_dict(KLAutoencoder(shape).state_dict())
    autoencoder.save_pretrained(folder / "vae")
    return folder


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    assert CLIP.image_encoder is not None
    build_image_encoder(CLIP.image_encoder).save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"


def test_an_import_is_a_run(source: Path, tower: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "runs/imported"
    words = ["import", source, "--model", "tiny-clip", "--image-encoder", tower, "-o", run]
    assert main([str(word) for word in words]) == 0
    shown = capsys.readouterr().out
    assert "conv_in: 4 channels (stable-diffusion) to 13" in shown
    assert f"lite-vton train tiny-clip --start {run} --data DATA" in shown
    assert f"next: lite-vton export {run} -o imported.bundle" in shown
    names = ["autoencoder.safetensors", "image_encoder.safetensors", "unet.safetensors"]
    assert [file.name for file in sorted(run.iterdir())] == names
    assert [folder.name for folder in run.parent.iterdir()] == ["imported"]
    networks = load_model(str(run)).networks
    assert networks.config.name == "tiny-clip"
    sample, tokens = torch.randn(1, 13, 8, 6), torch.randn(1, 5, 24)
    with torch.no_grad():
        answer = networks.unet(sample, torch.tensor([3]), tokens).sample
        sample[:, 4:] = 0
        assert torch.allclose(networks.unet(sample, torch.tensor([3]), tokens).sample, answer)


@pytest.mark.slow
def test_a_slip_is_one_line_and_leaves_nothing(
    refused: Callable[..., str], source: Path, tower: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep/run"
    clip = ("--model", "tiny-clip", "--image-encoder", tower)
    assert "did you mean 'inpainting'" in refused("import", source, *clip, "-o", out, "--layout", "inpaintin")
    assert "no file or folder" in refused("import", tmp_path / "nowhere", *clip, "-o", out)
    assert "--image-encoder" in refused("import", source, "--model", "tiny-clip", "-o", out)
    assert "unknown preset" in refused("import", source, "--model", "tachyon", "-o", out)
    assert "exists" in refused("import", source, *clip, "-o", source)
    assert "choose another preset or source" in refused("import", source, "--model", "teacher", "-o", out)


@pytest.mark.slow
def test_a_disk_that_fills_up_leaves_nothing(
    source: Path, tower: Path, tmp_path: Path, started: Callable[..., object]
) -> None:
    import resource

    before = sorted(tmp_path.rglob("*"))
    limit = 100_000  # bytes a file may have: the autoencoder's fits no more
    done = started(
        "import", source, "--model", "tiny-clip", "--image-encoder", tower, "-o", tmp_path / "run",
        before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr  # type: ignore[attr-defined]
    assert done.stderr.count("\n") == 1  # type: ignore[attr-defined]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_a_student_of_an_import_says_how_far_its_first_answer_is_off(
    dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import json

    from tests.lite_vton.model.their_checkpoints import TOKENS, paint_by_example, their_unet, write

    checkpoint = write(paint_by_example(their_unet(9), TOKENS[:1, :1]), tmp_path / "viton512.safetensors")
    assert main(["import", str(checkpoint), "--model", "tiny-kl", "-o", str(tmp_path / "taught")]) == 0
    words = ["distill", "tiny-kl", "--teacher", str(tmp_path / "taught"), "--data", str(dataset)]
    assert main([*words, "--steps", "1", "--batch-size", "1", "-o", str(tmp_path / "student")]) == 0
    assert (
        "cut down to its size (--init random for chance); its first answer is its teacher's" in capfd.readouterr().out
    )
    record = json.loads((tmp_path / "student/start.json").read_text(encoding="utf-8"))
    assert record["same_shape"]
    assert record["is_equal"]
    assert record["difference"] <= 1e-4 * record["answer"]
