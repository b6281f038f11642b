"""The bundle: one folder (or `.zip`) that carries a model to every backend, with proof that it works."""

from __future__ import annotations

from lite_vton.bundle.arrays import load_arrays
from lite_vton.bundle.manifest import (
    KIND,
    MANIFEST_NAME,
    SCHEMA_VERSION,
    Artifact,
    Calibration,
    ComponentFiles,
    ComponentTensors,
    FileRecord,
    FusedArtifact,
    InputChannels,
    KeptInFloat32,
    Manifest,
    Parity,
    ScheduleNumbers,
    Source,
    TensorSpec,
    Tolerance,
    compact_metadata,
    parse_manifest,
    schema,
    unet_channels,
)
from lite_vton.bundle.named_files import MODEL_FILES, check_beside, files_named_by
from lite_vton.bundle.paths import confined, is_inside
from lite_vton.bundle.reading import REPORTS, Bundle
from lite_vton.bundle.strict_json import settings_in, strict_json
from lite_vton.bundle.writing import record_files, write_bundle, write_manifest
from lite_vton.bundle.written_model import written_model

__all__ = [
    "KIND",
    "MANIFEST_NAME",
    "MODEL_FILES",
    "REPORTS",
    "SCHEMA_VERSION",
    "Artifact",
    "Bundle",
    "Calibration",
    "ComponentFiles",
    "ComponentTensors",
    "FileRecord",
    "FusedArtifact",
    "InputChannels",
    "KeptInFloat32",
    "Manifest",
    "Parity",
    "ScheduleNumbers",
    "Source",
    "TensorSpec",
    "Tolerance",
    "check_beside",
    "compact_metadata",
    "confined",
    "files_named_by",
    "is_inside",
    "load_arrays",
    "parse_manifest",
    "record_files",
    "schema",
    "settings_in",
    "strict_json",
    "unet_channels",
    "write_bundle",
    "write_manifest",
    "written_model",
]
