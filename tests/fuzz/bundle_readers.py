"""Readers of bundles, and of the files inside whose hashes somebody made right again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from lite_vton.bundle import Bundle, parse_manifest
from lite_vton.errors import UserError
from tests.fuzz.reader import AcceptedError, Reader
from tests.fuzz.small_models import bundle_files, write_coreml, write_engine_and_record, write_onnx, write_openvino

__all__ = ["ROWS"]


def _bundle(folder: Path) -> None:
    for name, content in bundle_files().items():
        path = folder / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _zip(folder: Path) -> None:
    """Three members, each packed another way."""
    packed = {"golden/trajectory.npz": zipfile.ZIP_STORED, "scheduler/scheduler_config.json": zipfile.ZIP_BZIP2}
    manifest = json.loads(bundle_files()["manifest.json"])
    manifest |= {"artifacts": {}, "weights": None}
    manifest["files"] = {name: manifest["files"][name] for name in packed}
    with zipfile.ZipFile(folder / "tiny.zip", "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest), zipfile.ZIP_DEFLATED)
        for name, method in packed.items():
            archive.writestr(name, bundle_files()[name], method)


def _open(folder: Path) -> None:
    Bundle.open(folder / "tiny")


def _open_zip(folder: Path) -> None:
    Bundle.open(folder / "tiny.zip")


def _read_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = parse_manifest(path.read_bytes(), str(path))
    if not 0 < manifest.latent_scale < float("inf"):
        raise AcceptedError(f"latent scale {manifest.latent_scale}")


def _inspect(folder: Path) -> None:
    from lite_vton.cli import main

    code = main(["inspect", str(folder / "tiny")])
    if code == 2:
        raise UserError("refused")
    if code != 0:
        raise AcceptedError(f"inspect ended with {code}")


def _read_reports(folder: Path) -> None:
    from lite_vton_export.bundle.finish import take_over
    from lite_vton_runtimes.benchmark.run import _verified

    bundle = Bundle.open(folder / "tiny", check=False)
    _verified(bundle)
    take_over(bundle, folder / "taken", (), link=True)


def _golden(folder: Path) -> None:
    (folder / "trajectory.npz").write_bytes(bundle_files()["golden/trajectory.npz"])


def _golden_members(folder: Path) -> None:
    _golden(folder)
    (folder / "members").mkdir()
    with zipfile.ZipFile(folder / "trajectory.npz") as archive:
        archive.extractall(folder / "members")


def _pack_golden(folder: Path) -> None:
    with zipfile.ZipFile(folder / "trajectory.npz", "w") as archive:
        for path in sorted((folder / "members").iterdir()):
            archive.write(path, path.name)


def _read_golden(folder: Path) -> None:
    from lite_vton_export.parity.golden import load_trajectory

    golden = load_trajectory(folder / "trajectory.npz")
    for call in golden.calls:
        for array in (*call.inputs.values(), *call.outputs.values()):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise AcceptedError(f"{call.component} {call.index} is not finite")


def _onnx(folder: Path) -> None:
    write_onnx(folder / "model.onnx", external=True)


def _read_onnx(folder: Path) -> None:
    from lite_vton_export.onnx.precision import found_precision, precision_shares

    found_precision(folder / "model.onnx")
    precision_shares(folder / "model.onnx")


def _read_ranges(folder: Path) -> None:
    from lite_vton_export.precision.ranges import measure_ranges

    measure_ranges(folder / "model.onnx", [{"x": np.ones((1, 3, 8, 8), np.float32)}])


def _openvino(folder: Path) -> None:
    write_openvino(folder / "model.xml")


def _read_openvino(folder: Path) -> None:
    from lite_vton_export.openvino.precision import found_openvino_precision

    found_openvino_precision(folder / "model.xml")


def _coreml(folder: Path) -> None:
    write_coreml(folder / "model.mlpackage")


def _read_coreml(folder: Path) -> None:
    from lite_vton_export.coreml.precision import found_coreml_precision

    found_coreml_precision(folder / "model.mlpackage")


def _read_engine(folder: Path) -> None:
    from lite_vton_runtimes.tensorrt.engine import check_engine, read_record

    engine = folder / "model.engine"
    check_engine(engine, read_record(engine))


ROWS = (
    Reader("bundle-folder", _bundle, _open, share=1),
    Reader("bundle-zip", _zip, _open_zip, share=6),
    Reader(
        "manifest",
        lambda folder: (folder / "manifest.json").write_bytes(bundle_files()["manifest.json"]),
        _read_manifest,
        share=8,
    ),
    Reader("inspect", _bundle, _inspect, damaged="tiny/manifest.json", share=0.1),
    Reader("reports", _bundle, _read_reports, damaged="tiny/verify.json", writes=True, share=1),
    Reader("golden", _golden, _read_golden, damaged="*.npz", share=3),
    Reader("golden-arrays", _golden_members, _read_golden, damaged="members/*", repack=_pack_golden, share=3),
    Reader("onnx", _onnx, _read_onnx, needs=("onnx",), share=4),
    Reader("onnx-ranges", _onnx, _read_ranges, needs=("onnx", "onnxruntime"), share=0.2),
    Reader("openvino", _openvino, _read_openvino, needs=("openvino", "nncf"), share=0.1),
    Reader("coreml", _coreml, _read_coreml, damaged="**/*", needs=("coremltools",), share=0.05),
    Reader("engine-record", write_engine_and_record, _read_engine, share=6),
)
