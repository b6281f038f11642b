"""Answers a golden trajectory with Optimum's own classes; run by Optimum's environment, which has no lite-vton.

python answering_with_optimum.py BUNDLE ARTIFACT ANSWERS.npz
"""

import sys
from pathlib import Path

import numpy as np
import torch
from optimum.onnxruntime import ORTDiffusionPipeline

bundle, artifact, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
pipeline = ORTDiffusionPipeline.from_pretrained(bundle / artifact)
answers = {}
with np.load(bundle / "golden/trajectory.npz") as golden:
    for component, call in sorted({tuple(key.split(".")[:2]) for key in golden.files if ".in." in key}):
        start = f"{component}.{call}.in."
        given = {
            key.removeprefix(start): torch.from_numpy(golden[key]) for key in golden.files if key.startswith(start)
        }
        if component == "unet":
            given["timestep"] = given["timestep"].squeeze()  # as schedulers give it; Optimum adds the axis
            given.setdefault("encoder_hidden_states", None)
            answer = pipeline.unet(**given)["sample"]
        elif component == "vae_encoder":
            answer = pipeline.vae_encoder(**given)["latent_dist"].parameters
        else:
            answer = pipeline.vae_decoder(**given)["sample"]
        (name,) = (key for key in golden.files if key.startswith(f"{component}.{call}.out."))
        answers[name] = np.asarray(answer)
np.savez(target, **answers)
