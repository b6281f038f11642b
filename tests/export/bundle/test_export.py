from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks, random_networks
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle, plan_export
from lite_vton_export.verify.run import VerificationError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def test_the_bundle_opens_with_all_hashes_and_lists_every_file(exported: Bundle) -> None:
    opened = Bundle.open(exported.root)
    there = {path.relative_to(opened.root).as_posix() for path in opened.root.rglob("*") if path.is_file()}
    assert there - set(opened.manifest.files) == {"manifest.json", "verify.json"}
    assert [path.name for path in opened.root.parent.iterdir()] == ["tiny"]


def test_the_manifest_has_what_a_port_needs(exported: Bundle) -> None:
    manifest = exported.manifest
    assert manifest.model == preset("tiny")
    assert (manifest.height, manifest.width, manifest.latent_scale) == (64, 48, 0.5)
    schedule = manifest.schedule
    assert len(schedule.alphas_cumprod) == schedule.num_train_timesteps == 600
    assert len(schedule.timesteps) == manifest.default_steps
    assert schedule.alphas_cumprod[0] == pytest.approx(1 - schedule.beta_start)
    assert set(manifest.components) == set(manifest.artifacts["onnx-fp16"].components)
    weights = (exported.path(f"weights/{name}.safetensors").read_bytes() for name in ("autoencoder", "unet"))
    assert manifest.source.sha256 == hashlib.sha256(b"".join(weights)).hexdigest()
    assert {"lite-vton", "torch", "onnx", "python"} <= set(manifest.tools)


def test_a_failed_gate_leaves_nothing_and_keeps_the_bundle_before(
    tmp_path: Path, networks: Networks, inputs: TryOnInputs, exported: Bundle
) -> None:
    target = tmp_path / "b"
    shutil.copytree(exported.root, target)
    with pytest.raises(VerificationError, match="onnx-fp32 failed verification") as error:
        export_bundle(networks, inputs, target, precisions=["fp32"], steps=1, min_psnr=199.0, overwrite=True)
    assert "\n" not in str(error.value)
    assert error.value.report.exit_code == 1
    assert Bundle.open(target).manifest == exported.manifest
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_weights_that_came_in_half_are_shipped_in_half_and_others_are_not(
    tmp_path: Path, exported: Bundle, inputs: TryOnInputs
) -> None:
    from safetensors.torch import load_file

    made = random_networks(preset("tiny"), seed=3)
    for module in (made.autoencoder, made.unet):
        module.half().float()
    bundle = export_bundle(made, inputs, tmp_path / "half.zip", precisions=["fp16"], steps=1)
    assert [path.name for path in tmp_path.iterdir()] == ["half.zip"]
    assert set(bundle.manifest.artifacts) == {"onnx-fp16"}
    assert bundle.path("verify.json").is_file()
    assert dtypes(load_file(bundle.path("weights/unet.safetensors"))) == {torch.float16}
    assert dtypes(load_file(exported.path("weights/unet.safetensors"))) == {torch.float32}


def dtypes(tensors: dict[str, torch.Tensor]) -> set[torch.dtype]:
    return {tensor.dtype for tensor in tensors.values()}


def test_the_plan_writes_nothing_and_refuses_what_the_export_would(tmp_path: Path) -> None:
    plan = plan_export(preset("tiny"), tmp_path / "b", ["onnx"], ["fp16"])
    assert plan.folders == ("onnx-fp16/vae_encoder", "onnx-fp16/unet", "onnx-fp16/vae_decoder")
    assert "onnx-fp16/unet" in str(plan)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="did you mean 'onnx'"):
        plan_export(preset("tiny"), tmp_path / "b", ["onxx"])


SCRIPT = """
    import sys
    from pathlib import Path
    import numpy as np
    import torch
    torch.set_num_threads(1)
    from lite_vton_export.bundle.export import export_bundle
    from lite_vton.errors import UserError
    from lite_vton.tryon.inputs import TryOnInputs
    from lite_vton.model.networks import random_networks
    from lite_vton.presets.table import preset

    size = (64, 48)
    picture, mask = np.zeros((*size, 3), np.uint8), np.ones(size, np.float32)
    inputs = TryOnInputs.compose(picture, mask, picture, mask, picture)
    networks = random_networks(preset("tiny"))

    def export(say):
        try:
            export_bundle(networks, inputs, Path(sys.argv[1]), precisions=["fp32"], steps=1, on_progress=say)
        except UserError as error:
            print(error, flush=True)
"""


def run(code: str, target: Path) -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT) + textwrap.dedent(code)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", script, str(target)], text=True, cwd=ROOT, **pipes)


# The autoencoder's weights have 190 kB, the U-Net's 307, its ONNX file 356: each limit ends the export elsewhere.
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("limit", [100_000, 330_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    code = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        export(lambda stage: None)
    """
    out, err = run(code, tmp_path / "b").communicate(timeout=300)
    assert out.startswith("cannot write"), err
    assert out.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send an interrupt to one process")
def test_ctrl_c_in_the_middle_of_an_export_leaves_nothing(tmp_path: Path) -> None:
    process = run("export(lambda stage: print(stage, flush=True))", tmp_path / "b")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("onnx unet"):
            break
    assert list(tmp_path.iterdir()) != []
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []
