from __future__ import annotations

from pathlib import Path

import pytest

from lite_vton.errors import UserError
from lite_vton_runtimes.base import NoDeviceError
from lite_vton_runtimes.tensorrt.library import load_tensorrt
from lite_vton_runtimes.tensorrt.nvidia import first_gpu
from lite_vton_runtimes.tensorrt.validity import check_validity

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT: pip install 'lite-vton[tensorrt]'")


@pytest.mark.parametrize("content", [b"", b"no engine", bytes(4096)])
def test_a_file_that_is_no_engine_is_at_fault_itself(tmp_path: Path, content: bytes) -> None:
    engine = tmp_path / "model.engine"
    engine.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot run .*model\.engine here \(.*\): export it again") as raised:
        check_validity(engine, load_tensorrt())
    assert not isinstance(raised.value, NoDeviceError)


@pytest.mark.skipif(first_gpu() is not None, reason="what is said where there is no GPU")
def test_where_nothing_can_run_an_engine_the_machine_is_at_fault(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    from lite_vton_export.tensorrt.write import build_engine
    from tests.runtimes.tensorrt.engine_request import REQUEST

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "model.onnx")
    tensorrt = load_tensorrt()
    request = REQUEST.model_copy(
        update={"built_on": "", "model": "any", "component": "relu", "precision": "fp32", "inputs": (), "outputs": ()}
        | {"version": tensorrt.version}
    )
    engine = tmp_path / "model.engine"
    engine.write_bytes(build_engine(tmp_path / "model.onnx", request, tensorrt))
    with pytest.raises(NoDeviceError, match=r"\(.*CUDA.*\): see whether nvidia-smi works"):
        check_validity(engine, tensorrt)
