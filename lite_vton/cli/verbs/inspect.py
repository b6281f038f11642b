"""`lite-vton inspect`: a bundle's manifest at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lite_vton.cli.options.models import BundlePath, Ranges
from lite_vton.cli.options.output import Json
from lite_vton.cli.ranges import print_ranges, ranges_of
from lite_vton.cli.screen import megabytes, print_json, print_table
from lite_vton.messages.commands import command
from lite_vton.workflows.extras import require

if TYPE_CHECKING:
    from lite_vton.bundle import Bundle, ComponentFiles, Manifest

__all__ = ["inspect"]


def inspect(path: BundlePath, ranges: Ranges = False, as_json: Json = False) -> None:
    """Show what a bundle holds.

    Checks its files, then lists sizes, tensors, precision found and parity.
    """
    from lite_vton.bundle import Bundle

    if ranges:
        require("inspect --ranges")
    bundle = Bundle.open(path)
    manifest = bundle.manifest
    if ranges:
        _show_ranges(bundle, as_json)
        return
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    total = sum(record.bytes for record in manifest.files.values())
    print(
        f"{manifest.model.name}  {manifest.width}x{manifest.height}  {manifest.source.checkpoint}  {manifest.license}"
    )
    print(f"{manifest.default_sampler}, {manifest.default_steps} steps, latent scale {manifest.latent_scale:.4f}")
    print(f"{len(manifest.files)} files, {megabytes(total)}, sizes and sha256 as written\n")
    print_table(
        ("component", "tensor", "shape", "dtype", "meaning"),
        [
            (name, f"{arrow} {spec.name}", "x".join(str(side) for side in spec.shape), spec.dtype, spec.meaning)
            for name, tensors in manifest.components.items()
            for arrow, specs in (("in", tensors.inputs), ("out", tensors.outputs))
            for spec in specs
        ],
    )
    print()
    print_table(
        ("artifact", "component", "size", "precision found", "parity"),
        [
            (
                name,
                component,
                megabytes(sum(r.bytes for p, r in manifest.files.items() if p.startswith(files.model))),
                files.precision_found,
                _parity(manifest, name, files),
            )
            for name, artifact in manifest.artifacts.items()
            for component, files in artifact.components.items()
        ],
    )
    print(f"next: {command('verify', path)}")


def _parity(manifest: Manifest, artifact: str, files: ComponentFiles) -> str:
    if files.parity is not None:
        return f"{files.parity.psnr_db:.1f} dB"
    return "the reference" if manifest.is_reference(artifact) else "not measured"


def _show_ranges(bundle: Bundle, as_json: bool) -> None:
    from dataclasses import asdict

    found = ranges_of(bundle)
    if as_json:
        print_json({name: [asdict(row) | {"unsafe": row.unsafe} for row in rows] for name, rows in found.items()})
    else:
        print_ranges(found)
