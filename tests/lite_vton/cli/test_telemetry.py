"""No library reports anything: seen from inside a process, at the sockets it opens and the files it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.network_watch import NetworkWatch, network_watch

pytestmark = pytest.mark.slow

DATABASE = "onnxruntime.db"  # of what ONNX Runtime is going to report
PACKAGES = (
    "lite_vton",
    "lite_vton.cli",
    "lite_vton_runtimes.onnxruntime.runtime",
    "lite_vton_export",
    "lite_vton_training",
)
LONG_ENOUGH = 13  # seconds; ONNX Runtime 1.32 looks its host up nine seconds after it was imported


def started(code: str, watch: NetworkWatch, home: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = watch.environment | {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    wait = f"import onnxruntime, time; time.sleep({LONG_ENOUGH})"
    return subprocess.Popen([sys.executable, "-c", f"import sys; {code}; {wait}", *words], env=environment)


def test_nobody_is_looked_up_by_a_process_of_ours_and_the_watch_sees_one_that_is_not(
    bundle: Path, options: Callable[..., list[str]], tmp_path: Path
) -> None:
    homes = [tmp_path / "ours", tmp_path / "other"]
    for home in homes:
        home.mkdir()
    ours, other = (network_watch(home) for home in homes)
    words = ["run", str(bundle), *options(), "-o", str(tmp_path / "result.png"), "--steps", "1"]
    children = [
        started("import lite_vton.cli; assert lite_vton.cli.main(sys.argv[1:]) == 0", ours, homes[0], *words),
        started("import socket; socket.getaddrinfo('localhost', 80)", other, homes[1]),
    ]
    assert [child.wait(120) for child in children] == [0, 0]
    assert ours.seen() == []
    assert not list(homes[0].rglob(DATABASE))
    assert "look-up localhost" in other.seen()
    if list(homes[1].rglob(DATABASE)):  # this version of ONNX Runtime, on this machine, does report
        assert any("microsoft" in line for line in other.seen()), other.seen()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_switches_reports_off_before_the_libraries_are_there(package: str, tmp_path: Path) -> None:
    code = f"""
import {package}, os, sys
import onnxruntime
print(os.environ["ORT_DISABLE_TELEMETRY"], os.environ["HF_HUB_DISABLE_TELEMETRY"], sys.modules["openvino_telemetry"])
"""
    home = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=home, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "None"]
    assert not list(tmp_path.rglob(DATABASE))


def test_openvino_and_nncf_go_without_their_reporter() -> None:
    pytest.importorskip("openvino", reason="needs the extra openvino")
    pytest.importorskip("nncf", reason="needs the extra openvino")
    code = """
import lite_vton_export
import nncf.telemetry.wrapper as nncf, openvino.tools.ovc.telemetry_utils as openvino
print(nncf.telemetry is not None and type(nncf.telemetry).__name__, openvino.tm.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["MagicMock", "openvino.tools.ovc.telemetry_stub"]
