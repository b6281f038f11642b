"""Builds what is released and tries it: a wheel and an npm package in dist/, both with the page in them.

`just release` runs it. Nothing is uploaded. Versions have to agree, and CHANGELOG.md has to speak of this one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from lite_vton.version import __version__

ROOT = Path(__file__).parents[1]
WEB = ROOT / "runtimes/web"
DIST = ROOT / "dist"
PAGE = "web/dist/page/index.html"


def main() -> None:
    """Ends with an exit code of 1 and a line at the first thing that is wrong."""
    _check_versions()
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    wheel, package = _built_wheel(), _built_package()
    _try_wheel(wheel)
    _try_package(package)
    print(f"{wheel.name} and {package.name} are in dist/, and both run")


def _check_versions() -> None:
    web = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    found = {
        "lite_vton/version.py": __version__,
        "runtimes/web/package.json": web,
        "CHANGELOG.md": newest[1] if newest else "none",
    }
    if len(set(found.values())) > 1:
        sys.exit("versions differ: " + ", ".join(f"{file} {version}" for file, version in found.items()))


def _built_wheel() -> Path:
    words = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(DIST)]
    subprocess.run([*words, "--quiet", "--disable-pip-version-check"], check=True)
    (wheel,) = DIST.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        _refuse_without(f"lite_vton_runtimes/{PAGE}", set(archive.namelist()), wheel)
    return wheel


def _built_package() -> Path:
    subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(DIST)], cwd=WEB, check=True, stdout=2)
    (package,) = DIST.glob("*.tgz")
    with tarfile.open(package) as archive:
        _refuse_without("package/dist/page/index.html", set(archive.getnames()), package)
    return package


def _refuse_without(name: str, names: set[str], where: Path) -> None:
    if name not in names:
        sys.exit(f"{where.name} has no {name}: build the page first (just web)")


def _try_wheel(wheel: Path) -> None:
    """The program answers from an empty folder, by the wheel's own files and what is installed beside them."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, str(wheel)]
        subprocess.run([*pip, "--disable-pip-version-check"], check=True)
        words = [sys.executable, "-m", "lite_vton.cli", "doctor"]
        environment = os.environ | {"PYTHONPATH": folder}
        subprocess.run(words, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def _try_package(package: Path) -> None:
    """The package is imported from an empty folder; ONNX Runtime, its dependency, is the one of the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "node_modules/@lite-vton/web"
        place.mkdir(parents=True)
        subprocess.run(["tar", "xzf", str(package), "--strip-components=1", "-C", str(place)], check=True)
        for dependency in (WEB / "node_modules").glob("onnxruntime-*"):
            (place.parents[1] / dependency.name).symlink_to(dependency)
        script = "import * as web from '@lite-vton/web'; if (!Object.keys(web).length) process.exit(1)"
        subprocess.run(["node", "--input-type=module", "-e", script], cwd=folder, check=True)


if __name__ == "__main__":
    main()
