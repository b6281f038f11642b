"""Watch a picture come out of the noise: what the network thinks the clean latent is, at each step.

python examples/03_watch_the_steps.py BUNDLE
"""

from __future__ import annotations

import sys

from lite_vton import Bundle, TryOn
from lite_vton_export.parity.golden import load_trajectory
from lite_vton_runtimes.sampling.sampler import Step

bundle = Bundle.open(sys.argv[1])
assert bundle.manifest.golden is not None, "a bundle of `lite-vton export` has one"
golden = load_trajectory(bundle.path(bundle.manifest.golden))


def show(step: Step) -> None:
    """Called after each step, with the latent so far and the network's guess at the clean one."""
    print(f"step {step.index}, timestep {step.timestep}: deviation of the clean latent {step.x_0.std():.3f}")


with TryOn(bundle) as model:
    model(golden.inputs, steps=golden.steps, seed=golden.seed, on_step=show)
