"""Call the networks themselves, as an app with a sampler of its own would.

    python examples/04_networks_alone.py BUNDLE

Every network takes and returns numpy arrays by tensor name; the manifest says which.
"""

from __future__ import annotations

import sys

import numpy as np

from lite_vton import Bundle, load

bundle = Bundle.open(sys.argv[1])
runtime = load(bundle, "onnxruntime")
for name, network in runtime.components.items():
    declared = bundle.manifest.components[name]
    inputs = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in declared.inputs}
    for tensor, answer in network(inputs).items():
        print(f"{name}: {', '.join(inputs)} -> {tensor} {answer.shape}")
runtime.close()
