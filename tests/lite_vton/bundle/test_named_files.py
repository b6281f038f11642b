"""What a model's file names is read only where it is a plain name beside it that the manifest lists."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from lite_vton.bundle import Bundle, check_beside, files_named_by, record_files
from lite_vton.bundle.named_files import ONNX_MESSAGES
from lite_vton.errors import UserError

onnx = pytest.importorskip("onnx", reason="needs the extra export")
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper  # noqa: E402

EVIL = "../../x/existing.txt"


def outside(name: str = EVIL, *, raw: bool = False) -> TensorProto:
    """A tensor whose numbers are said to be in another file."""
    tensor = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=name)
    if raw:
        tensor.raw_data = bytes(16)
    return tensor


def graph_of(tensor: TensorProto | None = None, *nodes: NodeProto) -> GraphProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (4,)) for name in "xy"]
    nodes = nodes or (helper.make_node("Identity", ["x"], ["y"]),)
    return helper.make_graph(list(nodes), "g", ends[:1], ends[1:], [] if tensor is None else [tensor])


def model_of(graph: GraphProto) -> ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def as_initializer() -> ModelProto:
    return model_of(graph_of(outside()))


def as_constant() -> ModelProto:
    return model_of(graph_of(None, helper.make_node("Constant", [], ["y"], value=outside())))


def in_a_branch() -> ModelProto:
    branch = graph_of(outside())
    return model_of(graph_of(None, helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)))


def in_a_sparse_tensor() -> ModelProto:
    model = model_of(graph_of())
    model.graph.sparse_initializer.add().values.CopyFrom(outside())
    return model


def in_a_function() -> ModelProto:
    model = model_of(graph_of())
    node = helper.make_node("Constant", [], ["y"], value=outside())
    model.functions.append(helper.make_function("d", "f", [], ["y"], [node], [helper.make_opsetid("", 18)]))
    return model


def in_a_list_of_tensors() -> ModelProto:
    node = helper.make_node("Custom", ["x"], ["y"], domain="d")
    node.attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(outside())
    return model_of(graph_of(None, node))


@pytest.mark.parametrize(
    "make", [as_initializer, as_constant, in_a_branch, in_a_sparse_tensor, in_a_function, in_a_list_of_tensors]
)
def test_a_name_that_leads_elsewhere_is_refused_wherever_it_stands(
    make: Callable[[], ModelProto], tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(make().SerializeToString())
    with pytest.raises(UserError, match=r"names the file '../../x/existing\.txt', which is not beside it"):
        files_named_by(path)


@pytest.mark.parametrize("name", ["/etc/passwd", "a/../../b", "", ".", "c:\\x", "*/_ORT_MEM_ADDR_/*", "a\0b", "\udcff"])
def test_only_plain_names_are_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model_of(graph_of(outside("NAME"))).SerializeToString())
    content = name.encode("utf-8", "surrogateescape")
    entry = helper.make_tensor("t", TensorProto.FLOAT, [1], [1.0])
    entry.external_data.add(key="location", value="NAME")
    whole = path.read_bytes()
    # Names that protobuf's own writer would refuse are put in by hand, in a graph that repeats the field.
    pair = b"\x0a\x08location\x12" + bytes([len(content)]) + content
    tensor = b"\x6a" + bytes([len(pair)]) + pair
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    path.write_bytes(whole + b"\x3a" + bytes([len(graph)]) + graph)
    with pytest.raises(UserError, match="not beside it"):
        files_named_by(path)


def test_every_way_to_a_tensor_is_walked() -> None:
    """The table is what the installed ONNX defines: a new field that can hold a tensor shows here."""
    messages = {}
    waiting = [ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.name not in messages:
            fields = {field.number: field.message_type for field in message.fields if field.message_type is not None}
            messages[message.name] = {number: kind.name for number, kind in fields.items()}
            waiting += fields.values()
    leads = {"TensorProto"}
    while more := {name for name, fields in messages.items() if leads & set(fields.values())} - leads:
        leads |= more
    for name in leads - {"TensorProto"}:
        due = {number: kind for number, kind in messages[name].items() if kind in leads}
        assert {n: kind for n, kind in ONNX_MESSAGES[name].items() if kind in leads} == due, name


def test_a_truncated_file_is_refused_or_names_less(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    whole = as_initializer().SerializeToString()
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with suppress(UserError):  # one that ends between two fields is whole
            files_named_by(path)


def test_weights_beside_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    weight = numpy_helper.from_array(np.ones(4, np.float32), "weight")
    model = model_of(graph_of(weight))
    onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    assert files_named_by(path) == {"model.onnx.data"}
    check_beside(path)
    (tmp_path / "model.onnx.data").rename(tmp_path / "elsewhere")
    (tmp_path / "model.onnx.data").symlink_to("elsewhere")
    with pytest.raises(UserError, match="goes through a link"):
        check_beside(path)


def bundle_with(root: Path, files: dict[str, bytes]) -> Path:
    """A bundle whose manifest lists `files`, hashes right."""
    from tests.fuzz.small_models import bundle_files

    for name, content in (bundle_files() | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["files"] = {name: record.model_dump() for name, record in record_files(root).items()}
    (root / "manifest.json").write_text(json.dumps(manifest))
    return root


def test_a_bundle_whose_onnx_names_another_file_overwrites_and_reads_nothing(tmp_path: Path) -> None:
    victim = tmp_path / "x/existing.txt"
    victim.parent.mkdir()
    victim.write_text("mine")
    for raw in (False, True):
        model = model_of(graph_of(outside("../../../x/existing.txt", raw=raw))).SerializeToString()
        root = bundle_with(tmp_path / f"b{raw}", {"onnx-fp32/unet/model.onnx": model})
        with pytest.raises(UserError, match="not beside it"):
            Bundle.open(root)
    assert victim.read_text() == "mine"


def everything_below(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("up", [2, 3, 4, 5])
def test_measuring_a_strangers_ranges_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], zipped: bool, up: int
) -> None:
    from lite_vton.cli import main

    temporary = tmp_path / "deep/temporary"
    temporary.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for folder in (tmp_path, tmp_path / "deep", temporary):  # wherever the name leads to, folder or extracted zip
        (folder / "existing.txt").write_text("mine")
    model = model_of(graph_of(outside("../" * up + "existing.txt"))).SerializeToString()
    root = bundle_with(tmp_path / "b", {"onnx-fp32/unet/model.onnx": model})
    path = Path(shutil.make_archive(str(root), "zip", root)) if zipped else root
    before = everything_below(tmp_path)
    assert main(["inspect", str(path), "--ranges"]) == 2
    assert "which is not beside it" in capsys.readouterr().err
    assert everything_below(tmp_path) == before


def test_a_file_beside_a_model_that_the_manifest_does_not_list_is_not_read(tmp_path: Path) -> None:
    model = model_of(graph_of(outside("weights.data"))).SerializeToString()
    root = bundle_with(tmp_path / "b", {"onnx-fp32/unet/model.onnx": model})
    (root / "onnx-fp32/unet/weights.data").write_bytes(bytes(16))
    with pytest.raises(UserError, match=r"names the file 'weights\.data', which the manifest does not list"):
        Bundle.open(root)
    root = bundle_with(tmp_path / "c", {"openvino-fp32/unet/model.xml": b"<net/>"})
    (root / "openvino-fp32/unet/model.bin").write_bytes(bytes(16))
    with pytest.raises(UserError, match=r"names the file 'model\.bin'"):
        Bundle.open(root)


@pytest.mark.parametrize(
    "text",
    [
        '{"itemInfoEntries": {"a": {"path": "../../../x"}}}',
        '{"itemInfoEntries": {"a": {"path": "/etc/passwd"}}}',
        '{"itemInfoEntries": {"a": {"path": 3}}}',
        '{"itemInfoEntries": {"a": {"path": "x"}, "a": {"path": "../y"}}}',
        "{}",
        "[" * 100_000,
    ],
)
def test_a_core_ml_package_lists_nothing_outside(text: str, tmp_path: Path) -> None:
    package = tmp_path / "model.mlpackage"
    package.mkdir()
    (package / "Manifest.json").write_text(text)
    with pytest.raises(UserError):
        files_named_by(package / "Manifest.json")


def test_a_core_ml_program_names_weights_of_its_package_alone(tmp_path: Path) -> None:
    def program(name: bytes) -> bytes:
        content = b"\x0a" + bytes([len(name)]) + name
        # Value, attribute, operation's attributes, operation, block, function, program: one inside the other.
        for tag in (b"\x2a", b"\x12", b"\x2a", b"\x1a", b"\x12", b"\x1a", b"\x12", b"\x12", b"\xb2\x1f"):
            content = tag + bytes([len(content)]) + content
        return content

    path = tmp_path / "model.mlmodel"
    path.write_bytes(program(b"@model_path/weights/weight.bin"))
    assert files_named_by(path) == {"weights/weight.bin"}
    for name in (b"@model_path/weights/../../x", b"/etc/passwd", b"@model_path/x"):
        path.write_bytes(program(name))
        with pytest.raises(UserError):
            files_named_by(path)
