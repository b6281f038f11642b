"""Sample the same seed on every backend that the bundle and this machine have, and compare the pictures.

    python examples/02_same_picture_on_every_backend.py BUNDLE

The inputs are those of the bundle's golden trajectory, so no photo is needed.
"""

from __future__ import annotations

import sys

import numpy as np

from lite_vton import BACKENDS, Bundle, TryOn, UserError
from lite_vton_export.parity.golden import load_trajectory

bundle = Bundle.open(sys.argv[1])
assert bundle.manifest.golden is not None, "a bundle of `lite-vton export` has one"
golden = load_trajectory(bundle.path(bundle.manifest.golden))

pictures = {}
for backend in BACKENDS.values():
    try:
        with TryOn(bundle, backend.name, backend.precisions[0]) as model:
            pictures[backend.name] = model(golden.inputs, steps=golden.steps, seed=golden.seed).picture
    except UserError as error:
        print(f"{backend.name}: {error}")

reference = pictures.pop("torch")
for name, picture in pictures.items():
    error = np.mean((picture.astype(float) - reference) ** 2)
    print(f"{name}: {'equal' if error == 0 else f'{10 * np.log10(255**2 / error):.1f} dB'} to torch")
