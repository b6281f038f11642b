"""One bundle of Core ML packages of the tiny model, written once, copied by the tests that damage it."""

from __future__ import annotations

import pytest

from lite_vton.bundle import Bundle
from lite_vton.model.networks import Networks
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.options import CoreMLOptions, ExportOptions

PRECISIONS = ("fp32", "fp16", "p6", "w8")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, networks: Networks, inputs: TryOnInputs) -> Bundle:
    target = tmp_path_factory.mktemp("coreml") / "tiny"
    options = ExportOptions(coreml=CoreMLOptions(compute_units="cpu-and-ne"))
    return export_bundle(networks, inputs, target, ("coreml",), PRECISIONS, steps=2, options=options)
