"""A peer's exported U-Net, timed in Optimum's environment as the peer's own class would run it; nothing of ours here.

    python peer_child.py ENGINE FOLDER SHAPE TIMESTEP

Speaks the lines of `lite_vton_runtimes.benchmark.process`: `{"load_s": ...}` once warm, `{"ms": [...]}` for each number
of runs on stdin, `{"peak_rss_bytes": ...}` at its end.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

engine, folder, shape, timestep = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever a library prints must not end up between the answers


def onnxruntime(sample: Any, timestep: Any) -> Callable[[], object]:
    """As `optimum.onnxruntime.ORTModel` opens a session: the options are ONNX Runtime's defaults."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    float_timestep = any(port.name == "timestep" and port.type == "tensor(float)" for port in session.get_inputs())
    scalar = timestep.reshape(()).astype(np.float32 if float_timestep else np.int64)
    return lambda: session.run(None, {"sample": sample, "timestep": scalar})


def openvino(sample: Any, timestep: Any) -> Callable[[], object]:
    """As `optimum.intel.OVModelUnet` compiles it after `reshape`: static shapes, hint LATENCY, OpenVINO's precision."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(folder / "openvino_model.xml")
    shapes = {"sample": list(sample.shape), "timestep": [1]}
    tokens = {"encoder_hidden_states": [1, 1, -1]}
    names = {name for port in model.inputs for name in port.get_names()}
    model.reshape({name: of for name, of in (shapes | tokens).items() if name in names})
    feeds = {"sample": sample, "timestep": timestep}
    request = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    return lambda: request(feeds, share_inputs=True)


def milliseconds(run: Callable[[], object]) -> float:
    begin = perf_counter()
    run()
    return (perf_counter() - begin) * 1e3


def peak_rss_bytes() -> int | None:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def say(answer: object) -> None:
    print(json.dumps(answer), file=answers, flush=True)


import numpy as np  # noqa: E402  # after stdout is out of the way

sample = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
begin = perf_counter()
run = {"onnxruntime": onnxruntime, "openvino": openvino}[engine](sample, np.array([timestep], dtype=np.int64))
run()
say({"load_s": perf_counter() - begin})
for line in sys.stdin:
    first = milliseconds(run)
    taken = [first] if first >= 2000 else []
    say({"ms": taken + [milliseconds(run) for _ in range(int(line) - len(taken))]})
say({"peak_rss_bytes": peak_rss_bytes()})
