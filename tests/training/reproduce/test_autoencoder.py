"""The page on the small autoencoder is computed from a trial, which goes on where it was and keeps to its folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton.presets.config import AutoencoderKLConfig, AutoencoderTinyConfig
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.reproduce.autoencoder import AutoencoderTrial, reproduce_autoencoder

pytestmark = pytest.mark.slow

LOOP = LoopConfig(steps=2, batch_size=2, learning_rate=1e-3, warmup_steps=1, checkpoint_every=1)
TRIAL = AutoencoderTrial(
    pairs=4,
    held_out=2,
    large=AutoencoderKLConfig(channels=(8, 8, 16, 16), layers_per_block=1, norm_groups=4),
    small=AutoencoderTinyConfig(
        patch=4, channels=(8, 8), blocks=(1, 1), decoder_channels=(8, 8), decoder_blocks=(1, 1)
    ),
    large_loop=LOOP,
    small_loop=LOOP,
)


def test_every_figure_is_on_the_page_and_a_second_start_only_reads_them(tmp_path: Path) -> None:
    folder, page = tmp_path / "run", tmp_path / "page.md"
    reproduce_autoencoder(TRIAL, folder, page)
    content = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    own, large, small = content["dressed"].values()
    text = page.read_text(encoding="utf-8")
    for row in (own, large, small):
        assert f"| {row['psnr_in_mask']:.2f} | {row['ssim']:.4f} |" in text
    # Two steps from random weights teach a decoder nothing; the shipped one has learnt its trade.
    assert own["psnr_in_mask"] > max(large["psnr_in_mask"], small["psnr_in_mask"])
    assert small["gflops"] < large["gflops"]
    assert f"its try-ons are {small['psnr_in_mask'] - large['psnr_in_mask']:+.2f} dB" in text

    checkpoint = folder / "small/checkpoint"
    before = {file: file.stat().st_mtime_ns for file in checkpoint.iterdir()}
    reproduce_autoencoder(TRIAL, folder, page)
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["dressed"] == content["dressed"]
    assert {file: file.stat().st_mtime_ns for file in checkpoint.iterdir()} == before
    with pytest.raises(UserError, match="holds another trial"):
        reproduce_autoencoder(replace(TRIAL, held_out=3), folder, page)
