"""Which other files a model's file makes its reader open: ONNX its weights, OpenVINO its `.bin`, Core ML its package.

Backends open them by themselves, wherever they lie. So a bundle's are looked through when it is opened, and an ONNX
file that is imported before it is read: what they name has to be a plain name beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from lite_vton.bundle.paths import confined, is_confined
from lite_vton.bundle.protobuf import Messages, fields_of, submessages
from lite_vton.bundle.strict_json import strict_json
from lite_vton.errors import UserError

__all__ = ["COREML_MESSAGES", "MODEL_FILES", "ONNX_MESSAGES", "check_beside", "files_named_by"]

MODEL_FILES: Mapping[str, str] = MappingProxyType(
    {
        "onnx": "model.onnx",
        "openvino": "model.xml",
        "tensorrt": "model.engine",
        "coreml": "model.mlpackage",
        "coreai": "model.aimodel",
    }
)
"""How the file or folder that a backend opens is called, by format."""

ONNX_MESSAGES: Messages = MappingProxyType(
    {
        "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
        "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
        "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
        "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
        "NodeProto": {5: "AttributeProto"},
        "AttributeProto": {
            5: "TensorProto",
            6: "GraphProto",
            10: "TensorProto",
            11: "GraphProto",
            22: "SparseTensorProto",
            23: "SparseTensorProto",
        },
        "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
        "TensorProto": {13: "StringStringEntryProto"},
        "StringStringEntryProto": {},
    }
)
"""Every way that leads to a tensor of an ONNX file."""

COREML_MESSAGES: Messages = MappingProxyType(
    {
        "Model": {502: "Program"},
        "Program": {2: "FunctionsEntry", 4: "AttributesEntry"},
        "FunctionsEntry": {2: "Function"},
        "Function": {1: "NamedValueType", 3: "BlockSpecializationsEntry", 4: "AttributesEntry"},
        "BlockSpecializationsEntry": {2: "Block"},
        "Block": {1: "NamedValueType", 3: "Operation", 4: "AttributesEntry"},
        "Operation": {2: "InputsEntry", 3: "NamedValueType", 4: "Block", 5: "AttributesEntry"},
        "InputsEntry": {2: "Argument"},
        "Argument": {1: "Binding"},
        "Binding": {2: "Value"},
        "AttributesEntry": {2: "Value"},
        "NamedValueType": {2: "ValueType"},
        "ValueType": {1: "TensorType", 2: "ListType", 3: "TupleType", 4: "DictionaryType", 5: "StateType"},
        "TensorType": {4: "AttributesEntry"},
        "ListType": {1: "ValueType"},
        "TupleType": {1: "ValueType"},
        "DictionaryType": {1: "ValueType", 2: "ValueType"},
        "StateType": {1: "ValueType"},
        "Value": {2: "ValueType", 3: "ImmediateValue", 5: "BlobFileValue"},
        "ImmediateValue": {2: "TupleValue", 3: "ListValue", 4: "DictionaryValue"},
        "TupleValue": {1: "Value"},
        "ListValue": {1: "Value"},
        "DictionaryValue": {1: "KeyValuePair"},
        "KeyValuePair": {1: "Value", 2: "Value"},
        "BlobFileValue": {},
    }
)
"""Every way that leads to a file's name in an ML program."""

_COREML_ALONE = (2, 502)
"""Fields of a Core ML model that have bytes: description and ML program. Other kinds of model name other files."""
_COREML_WEIGHTS = "@model_path/weights/"
_MOST_JSON = 1 << 20  # bytes


def files_named_by(path: Path, suffix: str | None = None) -> frozenset[str]:
    """What a reader of the file `path` opens beside it, as paths from its folder; `suffix` is what it is read as.

    Raises `UserError` for a file that is not whole, and for a name that is no plain path below that folder.
    """
    kind = next((kind for kind in _NAMED if (suffix or path.name).endswith(kind)), None)
    if kind is None or (kind == "Manifest.json" and path.parent.suffix != ".mlpackage"):
        return frozenset()
    try:
        names = frozenset(_NAMED[kind](path))
    except ValueError as error:
        raise UserError(f"{path} is not a readable {_KINDS[kind]} ({error}): get the file again") from error
    for name in names:
        if not is_confined(name):
            raise UserError(f"{path} names the file {name[:200]!r}, which is not beside it: do not use this file")
    return names


def check_beside(path: Path, suffix: str | None = None) -> None:
    """That all that `path` names is there: files below its folder, and no links. `UserError` for what is not.

    `suffix` is what it is read as, whatever its name.
    """
    for name in sorted(files_named_by(path, suffix)):
        if not confined(path.parent, name).is_file():
            raise UserError(f"{path.name} has weights in {name}, which is not beside it: copy the whole folder")


def _named_by_onnx(path: Path) -> Iterator[str]:
    for message, body in submessages(path, ONNX_MESSAGES, "ModelProto"):
        if message == "StringStringEntryProto":
            fields = list(fields_of(body))
            if (1, b"location") in fields:
                yield from (_text(value) for number, value in fields if number == 2)
        elif message == "NodeProto" and (4, b"EPContext") in fields_of(body):
            raise ValueError("it holds a network compiled for one machine, from a file elsewhere")


def _named_by_openvino(path: Path) -> Iterator[str]:
    yield path.with_suffix(".bin").name


def _named_by_engine(path: Path) -> Iterator[str]:
    yield path.with_suffix(".json").name


def _named_by_package(path: Path) -> Iterator[str]:
    """The items that a package's `Manifest.json` lists, which lie below `Data`."""
    if path.stat().st_size > _MOST_JSON:
        raise ValueError("larger than any")
    try:
        said = strict_json(path.read_bytes())
        items = [item["path"] for item in said["itemInfoEntries"].values()]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no list of items") from error
    for item in items:
        if not isinstance(item, str):
            raise ValueError("an item without a path")
        # An item may be a folder: what is in it is looked at where the folder's files are.
        yield f"Data/{item}"


def _named_by_program(path: Path) -> Iterator[str]:
    for message, body in submessages(path, COREML_MESSAGES, "Model"):
        if message == "Model" and any(number not in _COREML_ALONE for number, _ in fields_of(body)):
            raise ValueError("more than an ML program")
        if message == "BlobFileValue":
            for number, value in fields_of(body):
                if number == 1:
                    name = _text(value)
                    if not name.startswith(_COREML_WEIGHTS):
                        raise ValueError(f"weights in {name[:200]!r}")
                    yield f"weights/{name.removeprefix(_COREML_WEIGHTS)}"


_NAMED: Mapping[str, Callable[[Path], Iterator[str]]] = MappingProxyType(
    {
        ".onnx": _named_by_onnx,
        ".xml": _named_by_openvino,
        ".engine": _named_by_engine,
        "Manifest.json": _named_by_package,
        ".mlmodel": _named_by_program,
    }
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        ".onnx": "ONNX file",
        ".xml": "OpenVINO file",
        ".engine": "engine",
        "Manifest.json": "list of a Core ML package",
        ".mlmodel": "Core ML program",
    }
)


def _text(value: bytes) -> str:
    # A name that is no text is refused as no plain path, for its backslashes.
    return value.decode("utf-8", "backslashreplace")
