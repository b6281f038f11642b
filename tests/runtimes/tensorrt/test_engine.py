from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton_runtimes.tensorrt.engine import EngineRequest, EngineTensor, check_engine, read_record, write_engine
from tests.runtimes.tensorrt.engine_request import REQUEST

CHANGES = {
    "version": "1.8.0.1",
    "built_on": "Linux x86_64, some GPU",
    "compute_capabilities": ("8.9",),
    "model": "demo",
    "component": "vae_encoder",
    "precision": "fp32",
    "onnx_sha256": "1" * 64,
    "inputs": (EngineTensor(name="sample", shape=(1, 13, 16, 6), dtype="float32"),),
    "outputs": (),
    "strongly_typed": False,
    "tf32": True,
    "float32_products": 2,
    "profiling_verbosity": "NONE",
    "flavour": "tensorrt",
}


@pytest.mark.parametrize("field", EngineRequest.model_fields)
def test_whatever_an_engine_is_built_from_is_in_its_key(field: str) -> None:
    changed = REQUEST.model_copy(update={field: CHANGES[field]})
    assert changed.key != REQUEST.key
    assert changed.differences(REQUEST) == (field,)


def test_what_is_written_reads_back_and_has_the_same_key(tmp_path: Path) -> None:
    engine = write_engine(REQUEST, b"engine", tmp_path / "new" / "folder")
    record = read_record(engine)
    check_engine(engine, record)
    assert (record.key, record.differences(REQUEST), record.engine_bytes) == (REQUEST.key, (), 6)


def test_an_engine_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    engine = write_engine(REQUEST, b"engine", tmp_path)
    record = read_record(engine)
    engine.write_bytes(b"engin")
    with pytest.raises(UserError, match="has 5 bytes of 6: export it again"):
        check_engine(engine, record)
    engine.write_bytes(b"engime")
    with pytest.raises(UserError, match=r"is not the engine its model\.json describes: export it again"):
        check_engine(engine, record)
    engine.unlink()
    with pytest.raises(UserError, match=r"cannot be read .*: export it again"):
        check_engine(engine, record)


@pytest.mark.slow
@settings(max_examples=50)
@given(st.one_of(st.binary(max_size=64), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr)))
def test_whatever_lies_in_a_records_place_is_one_line(tmp_path_factory: pytest.TempPathFactory, junk: object) -> None:
    folder = tmp_path_factory.mktemp("record")
    (folder / "model.json").write_bytes(junk if isinstance(junk, bytes) else str(junk).encode())
    with pytest.raises(UserError) as caught:
        read_record(folder / "model.engine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("compute_capabilities", ["8.x"]), ("onnx_sha256", "short"), ("engine_bytes", 0), ("flavour", "trt"), ("new", 1)],
)
def test_a_field_out_of_its_range_is_named(tmp_path: Path, field: str, value: object) -> None:
    engine = write_engine(REQUEST, b"engine", tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(UserError, match=rf"model\.json is wrong at {field}"):
        read_record(engine)
