from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from lite_vton.bundle import Bundle, ComponentTensors
from lite_vton.errors import UserError
from lite_vton.presets.table import preset
from lite_vton_runtimes.onnxruntime.providers import PROVIDERS, Provider, check_work, known_provider, session_providers
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime
from lite_vton_runtimes.torch.runtime import TorchRuntime

Remade = Callable[[dict[str, ComponentTensors]], Bundle]


def arrays_for(tensors: ComponentTensors) -> dict[str, Any]:
    generator = np.random.default_rng(1)
    return {
        spec.name: np.array([37], dtype=np.int64)
        if spec.dtype == "int64"
        else generator.standard_normal(spec.shape, dtype=np.float32)
        for spec in tensors.inputs
    }


@pytest.mark.slow
@pytest.mark.parametrize("component", preset("tiny").components)
def test_every_component_answers_as_torch_does(component: str, made: Any) -> None:
    tensors = made.bundle.manifest.components
    fed = arrays_for(tensors[component])
    ours = OnnxRuntime(made.bundle).components[component](fed)
    reference = TorchRuntime(made.modules, tensors).components[component](fed)
    assert set(ours) == {spec.name for spec in tensors[component].outputs}
    for name, array in ours.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, reference[name], atol=1e-5)


def test_names_carry_the_precision(made: Any) -> None:
    assert OnnxRuntime(made.bundle).name == "onnxruntime-fp32"
    assert TorchRuntime(made.modules, made.bundle.manifest.components).name == "torch-fp32"


def test_one_thread_is_enough(made: Any) -> None:
    runtime = OnnxRuntime(made.bundle, threads=1)
    fed = arrays_for(made.bundle.manifest.components["unet"])
    assert np.isfinite(runtime.components["unet"](fed)["out_sample"]).all()


def test_nothing_is_left_after_close(made: Any) -> None:
    for runtime in (OnnxRuntime(made.bundle), TorchRuntime(made.modules, made.bundle.manifest.components)):
        assert set(runtime.components) == set(preset("tiny").components)
        runtime.close()
        assert not runtime.components


def test_a_zip_runs_like_its_folder(made: Any, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "small"), "zip", made.bundle.root)
    fed = arrays_for(made.bundle.manifest.components["unet"])
    runtime = OnnxRuntime(Bundle.open(archive))  # nothing else holds the extracted files
    expected = OnnxRuntime(made.bundle).components["unet"](fed)
    np.testing.assert_array_equal(runtime.components["unet"](fed)["out_sample"], expected["out_sample"])


@pytest.mark.parametrize("name", ["CPUExecutionProvider", "cpu", "CPU"])
def test_a_provider_goes_by_either_name(name: str, made: Any) -> None:
    fed = arrays_for(made.bundle.manifest.components["unet"])
    assert OnnxRuntime(made.bundle, providers=[name]).components["unet"](fed)


@pytest.mark.parametrize(("name", "nearest"), [("CpuExecutionProvidr", "CPUExecutionProvider"), ("cudaa", "cuda")])
def test_a_misspelt_provider_gets_the_nearest_name(name: str, nearest: str, made: Any) -> None:
    with pytest.raises(UserError, match=f"did you mean '{nearest}'"):
        OnnxRuntime(made.bundle, providers=[name])


@pytest.mark.parametrize("row", PROVIDERS.values(), ids=lambda row: row.name)
def test_a_provider_this_build_lacks_is_never_replaced_silently(row: Provider, made: Any) -> None:
    assert row.ort_name in ort.get_all_providers()
    if row.ort_name in ort.get_available_providers():
        assert known_provider(row.ort_name) == known_provider(row.name) == row
        return
    for name in (row.name, row.ort_name):
        with pytest.raises(UserError, match=rf"no provider '{row.name}' in this ONNX Runtime \(it has cpu") as caught:
            OnnxRuntime(made.bundle, providers=[name, "cpu"])
        assert f"install {row.wheel}" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_no_provider_at_all_is_refused(made: Any) -> None:
    with pytest.raises(UserError, match="no ONNX Runtime provider given"):
        OnnxRuntime(made.bundle, providers=[])


def cpu_session(made: Any) -> ort.InferenceSession:
    """A session that ran on the CPU, and tells so."""
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    file = made.bundle.path("onnx-fp32/unet/model.onnx")
    return ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def test_a_provider_that_was_dropped_is_named(made: Any) -> None:
    with pytest.raises(UserError, match=r"could not start cuda and would have run unet on CPUExecutionProvider"):
        check_work(cpu_session(made), [PROVIDERS["cuda"]], "unet")
    check_work(cpu_session(made), [PROVIDERS["cpu"]], "unet")


def test_a_provider_that_starts_and_leaves_the_work_to_the_cpu_is_found(made: Any) -> None:
    # Any build has a second provider only for what calls a cloud: it starts, and takes nothing.
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    file = made.bundle.path("onnx-fp32/unet/model.onnx")
    azure = "AzureExecutionProvider"
    session = ort.InferenceSession(str(file), options, providers=[azure])
    with pytest.raises(UserError, match=r"leaves 2 of 2 products of unet to the CPU"):
        check_work(session, [Provider(azure, azure, "onnxruntime")], "unet")
    runtime = OnnxRuntime(made.bundle, providers=[azure])
    with pytest.raises(UserError, match="to the CPU"):
        runtime.components["unet"](arrays_for(made.bundle.manifest.components["unet"]))


def test_tensorrt_leaves_the_rest_to_cuda_and_cuda_computes_float32_in_full() -> None:
    names = [name for name, _ in session_providers([PROVIDERS["tensorrt"]])]
    assert names[0] == "TensorrtExecutionProvider"
    assert dict(session_providers([PROVIDERS["cuda"]])) == {"CUDAExecutionProvider": {"use_tf32": "0"}}


def test_a_precision_the_bundle_lacks_says_what_it_has(made: Any) -> None:
    with pytest.raises(UserError, match="no ONNX at precision 'fp16': it has fp32"):
        OnnxRuntime(made.bundle, precision="fp16")


@pytest.mark.parametrize("change", [{"name": "other"}, {"dtype": "float16"}, {"shape": (1, 4, 4, 3)}])
def test_a_file_that_is_not_what_the_manifest_declares_is_refused(
    change: dict[str, Any], made: Any, remade: Remade
) -> None:
    tensors = dict(made.bundle.manifest.components)
    (output,) = tensors["unet"].outputs
    tensors["unet"] = tensors["unet"].model_copy(update={"outputs": (output.model_copy(update=change),)})
    runtime = OnnxRuntime(remade(tensors))
    with pytest.raises(UserError, match="its manifest says"):
        runtime.components["unet"](arrays_for(tensors["unet"]))


def test_a_damaged_file_is_one_line_naming_it(made: Any, remade: Remade) -> None:
    bundle = remade(made.bundle.manifest.components)
    file = bundle.root / "onnx-fp32/vae_decoder/model.onnx"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match=r"cannot load .*vae_decoder/model\.onnx") as caught:
        OnnxRuntime(bundle).components["vae_decoder"](arrays_for(made.bundle.manifest.components["vae_decoder"]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_inputs_the_component_does_not_take_are_refused_alike(backend: str, made: Any) -> None:
    tensors = made.bundle.manifest.components
    runtime = TorchRuntime(made.modules, tensors) if backend == "torch" else OnnxRuntime(made.bundle)
    unet = runtime.components["unet"]
    fed = arrays_for(tensors["unet"])
    with pytest.raises(UserError, match="takes the tensors sample, timestep, not sample"):
        unet({"sample": fed["sample"]})
    with pytest.raises(UserError, match="not float64"):
        unet(fed | {"sample": fed["sample"].astype(np.float64)})
    with pytest.raises(UserError, match="at the size of this bundle"):
        unet(fed | {"sample": fed["sample"][..., :-1]})
    with pytest.raises(UserError, match="timestep as int64"):
        unet(fed | {"timestep": np.array([37], dtype=np.int32)})


def test_inputs_are_left_as_they_were_and_may_be_views(made: Any) -> None:
    tensors = made.bundle.manifest.components
    (spec,) = tensors["vae_decoder"].inputs
    base = np.random.default_rng(0).standard_normal(spec.shape, dtype=np.float32)
    strided = np.repeat(base, 2, axis=3)[..., ::2]
    strided.flags.writeable = False
    for runtime in (OnnxRuntime(made.bundle), TorchRuntime(made.modules, tensors)):
        decoder = runtime.components["vae_decoder"]
        expected = decoder({"latent_sample": base.copy()})["sample"]
        np.testing.assert_array_equal(decoder({"latent_sample": strided})["sample"], expected)
        np.testing.assert_array_equal(strided, base)
