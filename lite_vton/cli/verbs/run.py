"""`lite-vton run`: dress the person of a photo."""

from __future__ import annotations

from lite_vton.cli.next_steps import benchmark_command
from lite_vton.cli.options.backends import Backend, Fused, LowMemory, Precision, Provider
from lite_vton.cli.options.models import BundlePath
from lite_vton.cli.options.output import Overwrite, Result, SaveSteps
from lite_vton.cli.options.photos import (
    Category,
    Garment,
    GarmentMask,
    Keypoints,
    Parse,
    Person,
    PersonIndex,
    PersonMask,
    PoseModel,
)
from lite_vton.cli.options.sampling import Detail, Sampler, Seed, Steps
from lite_vton.cli.outputs import claim_output, claim_picture
from lite_vton.cli.screen import Watch
from lite_vton.workflows.weights import NOTES

__all__ = ["run"]


def run(
    path: BundlePath,
    person: Person,
    garment: Garment,
    output: Result,
    keypoints: Keypoints = None,
    pose_model: PoseModel = None,
    garment_mask: GarmentMask = None,
    parse: Parse = None,
    mask: PersonMask = None,
    category: Category = "upper",
    backend: Backend = "onnxruntime",
    precision: Precision = None,
    provider: Provider = None,
    steps: Steps = None,
    sampler: Sampler = None,
    seed: Seed = 0,
    person_index: PersonIndex = None,
    detail: Detail = True,
    low_memory: LowMemory = False,
    fused: Fused = False,
    save_steps: SaveSteps = None,
    overwrite: Overwrite = False,
) -> None:
    """Dress the person of a photo.

    Outside the repainted region every pixel stays as it was.
    """
    from lite_vton.workflows.dress.run import How, Photographs, dress

    watch = Watch()
    claim_picture(output)
    if save_steps is not None:
        claim_output(save_steps)
    dressed = dress(
        path,
        Photographs(person, garment, keypoints, pose_model, garment_mask, parse, mask, category, person_index),
        How(backend, precision, provider, steps, sampler, seed, detail, low_memory, fused),
        output,
        save_steps=save_steps,
        overwrite=overwrite,
    )
    print(f"{dressed.width}x{dressed.height}, {dressed.runtime}, sampled in {dressed.sampling_s:.2f} s")
    if dressed.origin in NOTES:
        print(NOTES[dressed.origin])
    watch.wrote(dressed.written, benchmark_command(path))
