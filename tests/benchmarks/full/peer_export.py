"""Exports a U-Net with the peers' own exporters; run by Optimum's environment, which has no lite-vton.

    python peer_export.py CONFIG.json WEIGHTS.safetensors FOLDER

Writes optimum-onnx/model.onnx, optimum-intel/openvino_model.xml and optimum-intel-int8/openvino_model.xml below FOLDER,
each at its exporter's own settings, and left-out.json: by name, why one could not be written.
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from safetensors.torch import load_file

config, weights, target = (Path(argument) for argument in sys.argv[1:])
unet = UNet2DConditionModel.from_config(json.loads(config.read_text()))
if unet.config["cross_attention_dim"] == unet.config["norm_num_groups"]:
    # What `lite_vton.model.unet` does: no tokens, so no cross-attention, which diffusers' settings cannot say.
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = block.norm2 = None
unet.load_state_dict(load_file(weights))
unet.eval()


def to_onnx(folder: Path) -> None:
    from optimum.exporters.onnx import export_models
    from optimum.exporters.onnx.model_configs import UNetOnnxConfig

    class WithoutTokens(UNetOnnxConfig):
        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            return {name: axes for name, axes in super().inputs.items() if name != "encoder_hidden_states"}

        def generate_dummy_inputs(self, framework: str = "pt", **kwargs: object) -> dict[str, torch.Tensor]:
            made = super(UNetOnnxConfig, self).generate_dummy_inputs(framework=framework, **kwargs)
            made["encoder_hidden_states"] = None
            return made

    models = {"unet": (unet, WithoutTokens(unet.config, task="semantic-segmentation"))}
    export_models(models, folder, output_names=["model.onnx"])


def to_openvino(folder: Path) -> None:
    from optimum.exporters.openvino.convert import export_models
    from optimum.exporters.openvino.model_configs import UNetOpenVINOConfig
    from optimum.intel import OVConfig

    models = {"unet": (unet, UNetOpenVINOConfig(unet.config, task="semantic-segmentation"))}
    export_models(
        models,
        folder,
        output_names=["openvino_model.xml"],
        ov_config=OVConfig(),
        stateful=False,
        library_name="diffusers",
    )


def to_openvino_int8(folder: Path) -> None:
    import openvino as ov
    from optimum.intel import OVWeightQuantizationConfig
    from optimum.intel.openvino.quantization import _weight_only_quantization

    to_openvino(folder)
    # What its pipelines do when they are given this setting (1.27); exporting alone leaves it unheeded.
    model = _weight_only_quantization(
        ov.Core().read_model(folder / "openvino_model.xml", config={"ENABLE_MMAP": False}),
        OVWeightQuantizationConfig(bits=8),
    )
    ov.save_model(model, folder / "openvino_model.xml", compress_to_fp16=False)


EXPORTS = {
    "optimum-onnx": to_onnx,
    "optimum-intel": to_openvino,
    "optimum-intel-int8": to_openvino_int8,
}
left_out = {}
for name, export in EXPORTS.items():
    folder = target / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        export(folder)
    except Exception as error:  # whatever a peer raises is the reason its row has no figures
        lines = str(error).strip().splitlines() or [type(error).__name__]
        left_out[name] = f"{type(error).__name__}: {lines[-1][:300]}"
(target / "left-out.json").write_text(json.dumps(left_out, indent=1) + "\n")
