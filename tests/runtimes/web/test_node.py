"""The package of runtimes/web in Node: its own tests, against what Python answers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.bundle import Bundle
from lite_vton_export.parity.golden import load_trajectory
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime
from lite_vton_runtimes.sampling.pipeline import try_on

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[3] / "runtimes/web/test"


@pytest.mark.parametrize("name", [path.name.removesuffix(".ts") for path in sorted(TESTS.glob("*.test.ts"))])
def test_node(name: str, package: Path, references: Path, tiny: Bundle, tiny_clip: Bundle, tiny_wide: Bundle) -> None:
    bundles = {"TINY": tiny.root, "TINY_CLIP": tiny_clip.root, "TINY_WIDE": tiny_wide.root}
    paths = {"REFERENCES": references, **bundles}
    environment = os.environ | {f"LITE_VTON_{key}": str(path) for key, path in paths.items()}
    done = run(package, "--test", "--test-reporter=spec", f"build/{name}.js", environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests 0" not in done.stdout


def test_the_example_gives_the_picture_of_the_command_line(package: Path, tiny: Bundle, tmp_path: Path) -> None:
    inputs = tiny.root / "golden/trajectory.npz"
    done = run(package, "examples/dress.mjs", str(tiny.root), str(inputs), str(tmp_path / "out.ppm"))
    assert done.returncode == 0, done.stderr
    found = np.asarray(Image.open(tmp_path / "out.ppm"), np.float64)
    manifest = tiny.manifest
    wanted = try_on(
        OnnxRuntime(tiny), load_trajectory(inputs).inputs, manifest.model, manifest.latent_scale, seed=7
    ).picture
    assert np.abs(found - wanted).max() <= 1
    assert done.stdout.count("step") == manifest.default_steps


def test_the_example_says_what_is_wrong_in_one_line(package: Path, tmp_path: Path) -> None:
    done = run(package, "examples/dress.mjs", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["manifest.json is not there (status 404): look at the bundle's address"]


def test_the_tables_of_the_ziggurat_are_those_in_numpys_own_file(package: Path) -> None:
    """To the last bit: computed here, and found whole among the bytes of numpy's compiled generator."""
    code = """
    import { ziggurat } from "./dist/ziggurat.js";
    for (const table of Object.values(ziggurat())) console.log(Buffer.from(table.buffer).toString("hex"));
    """
    done = run(package, "--input-type=module", "--eval", code)
    tables = [bytes.fromhex(line) for line in done.stdout.split()]
    numpys = Path(np.random._generator.__file__).read_bytes()
    assert [len(table) for table in tables] == [1024] * 3
    assert all(table in numpys for table in tables)


def test_onnx_runtime_reports_nothing_to_its_maker(package: Path, tmp_path: Path) -> None:
    code = """
    const { cpuProvider } = await import("./dist/node.js");
    console.log((await cpuProvider()).name, process.env.ORT_DISABLE_TELEMETRY);
    """
    home = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    done = run(package, "--input-type=module", "--eval", code, environment=home)
    assert done.stdout.split() == ["cpu", "1"], done.stderr
    assert not list(tmp_path.rglob("onnxruntime.db"))


def test_the_source_is_formatted(package: Path) -> None:
    done = subprocess.run(["npm", "run", "check"], cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(package: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = ["node", *arguments]
    return subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, check=False)
