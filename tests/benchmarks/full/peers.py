"""The peers' environment: their exports of our U-Net, made once there, and the commands that time them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import ModelConfig
from lite_vton_runtimes.sampling.schedule import timesteps
from tests.benchmarks.full.artifacts import CHECKOUT

__all__ = ["PEERS", "PYTHON", "exported_by_peers", "peer_command", "peer_versions"]

PYTHON = CHECKOUT / ".venv-optimum/bin/python"
PEERS = {"optimum-onnx": "onnxruntime", "optimum-intel": "openvino", "optimum-intel-int8": "openvino"}
"""Folder of each export, and which library `peer_child.py` runs it with."""
_HERE = Path(__file__).parent


def exported_by_peers(bundle: Bundle, say: Callable[[str], None]) -> tuple[Path, dict[str, str]]:
    """The folder of the peers' exports of a bundle's U-Net, beside it, and by peer why one is not there."""
    folder = bundle.root.with_name(f"{bundle.root.name}-peers")
    if not PYTHON.exists():
        return folder, dict.fromkeys(PEERS, "Optimum's environment is not there: ./justw optimum")
    reasons = folder / "left-out.json"
    if not reasons.exists():
        say("the peers export the U-Net")
        folder.mkdir(parents=True, exist_ok=True)
        _write_config(bundle.manifest.model, folder / "config.json")
        weights = bundle.path("weights/unet.safetensors")
        command = [PYTHON, _HERE / "peer_export.py", folder / "config.json", weights, folder]
        ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if ran.returncode:
            last = (ran.stderr.strip().splitlines() or [f"status {ran.returncode}"])[-1]
            raise UserError(f"the peers' export ended: {last}")
    return folder, json.loads(reasons.read_text(encoding="utf-8"))


def peer_command(engine: str, folder: Path, config: ModelConfig) -> list[str]:
    """What times a peer's export of the model `config`."""
    _, _, height, width = config.latent_shape
    shape = json.dumps([1, config.unet_in_channels, height, width])
    last = str(int(timesteps(config.schedule, 1)[0]))
    return [str(PYTHON), str(_HERE / "peer_child.py"), PEERS[engine], str(folder / engine), shape, last]


def peer_versions() -> str:
    """What is installed in the peers' environment, "" where it is not there."""
    if not PYTHON.exists():
        return ""
    packages = ("optimum", "optimum-onnx", "optimum-intel", "diffusers", "onnxruntime", "openvino")
    code = f"from importlib.metadata import version\nfor p in {packages}: print(p, version(p))"
    ran = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return ", ".join(ran.stdout.splitlines()) if ran.returncode == 0 else ""


def _write_config(config: ModelConfig, file: Path) -> None:
    import torch

    with torch.device("meta"):
        unet = build_unet(config)
    said = {key: value for key, value in dict(unet.config).items() if not key.startswith("_")}
    file.write_text(json.dumps(said, default=str), encoding="utf-8")
