"""Exports a 13-channel pipeline with Optimum's own exporter; run by Optimum's environment, which has no lite-vton.

python exporting_with_optimum.py FOLDER ANSWERS.npz

The answers are torch's to one call of the U-Net, of the encoder and of the decoder.
"""

import copy
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from optimum.exporters.onnx import export_models
from optimum.exporters.onnx.model_configs import UNetOnnxConfig, VaeDecoderOnnxConfig, VaeEncoderOnnxConfig

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8,
    in_channels=13,
    block_out_channels=(16, 16),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    mid_block_type="UNetMidBlock2D",
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=8,
    cross_attention_dim=8,
)
levels = 4
vae = AutoencoderKL(
    down_block_types=("DownEncoderBlock2D",) * levels,
    up_block_types=("UpDecoderBlock2D",) * levels,
    block_out_channels=(8, 8, 16, 16),
    norm_num_groups=4,
    scaling_factor=0.2,
)

target = Path(sys.argv[1])
random = np.random.default_rng(0)
sample, picture, latent = (
    random.standard_normal(shape).astype(np.float32) for shape in ((1, 13, 8, 6), (1, 3, 64, 48), (1, 4, 8, 6))
)
with torch.no_grad():
    moments = vae.encode(torch.from_numpy(picture)).latent_dist.parameters
    answers = {
        "unet.out_sample": unet(torch.from_numpy(sample), 300, torch.zeros(1, 1, 8)).sample.numpy(),
        "vae_encoder.latent_parameters": moments.numpy(),
        "vae_decoder.sample": vae.decode(torch.from_numpy(latent)).sample.numpy(),
    }
np.savez(sys.argv[2], sample=sample, picture=picture, latent=latent, **answers)
# As Optimum takes a pipeline apart, which it does only where there is a text encoder.
encoder, decoder = copy.deepcopy(vae), copy.deepcopy(vae)
encoder.forward = lambda sample: {"latent_parameters": encoder.encode(x=sample)["latent_dist"].parameters}
decoder.forward = lambda latent_sample: decoder.decode(z=latent_sample)
models = {
    "unet": (unet, UNetOnnxConfig(unet.config, task="semantic-segmentation")),
    "vae_encoder": (encoder, VaeEncoderOnnxConfig(vae.config, task="semantic-segmentation")),
    "vae_decoder": (decoder, VaeDecoderOnnxConfig(vae.config, task="semantic-segmentation")),
}
names = [f"{name}/model.onnx" for name in models]
for name, (module, _) in models.items():
    (target / name).mkdir(parents=True)
    module.save_config(target / name)
export_models(models, target, output_names=names)
DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").save_config(target / "scheduler")
