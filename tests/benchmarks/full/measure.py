"""The run itself: artifacts made or reused, then every target with all its contenders in turns."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.model.cost import component_costs
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.table import preset
from lite_vton_runtimes.benchmark.run import load_average, machine_and_versions
from tests.benchmarks.full.artifacts import bundle_of
from tests.benchmarks.full.ceiling import flops
from tests.benchmarks.full.contenders import DECODER, DETAIL, ENCODER, TRY_ON, UNET, Contender, Scale
from tests.benchmarks.full.engines import Task
from tests.benchmarks.full.figures import Ceiling, Report, Row
from tests.benchmarks.full.peers import PEERS, exported_by_peers, peer_command, peer_versions
from tests.benchmarks.full.turns import Entry, Taken, take_turns

__all__ = ["CHILD", "Made", "make_artifacts", "measure"]

CHILD = (sys.executable, "-m", "tests.benchmarks.full.child")


class Made:
    """Bundles by autoencoder, the peers' folder, and by artifact or peer why something is not there."""

    def __init__(self, bundles: Mapping[str, Bundle], left_out: Mapping[tuple[str, str], str], peers: Path) -> None:
        self.bundles = bundles
        self.left_out = left_out
        self.peers = peers


def make_artifacts(scale: Scale, folder: Path, say: Callable[[str], None]) -> Made:
    """Everything that is timed, exported where it is not there already; nothing of this is timed."""
    bundles, left_out = {}, {}
    for autoencoder in ("kl", "tiny"):
        config = with_autoencoder(preset(scale.presets["ours"]), autoencoder)
        bundles[autoencoder], reasons = bundle_of(config, scale.artifacts(autoencoder), folder, say)
        left_out |= {(autoencoder, name): reason for name, reason in reasons.items()}
    try:
        wanted = any(row.engine in PEERS for row in scale.contenders)
        peers, reasons = exported_by_peers(bundles["tiny"], say) if wanted else (folder, {})
    except UserError as error:
        peers, reasons = folder, dict.fromkeys(PEERS, str(error))
    return Made(bundles, left_out | {("", name): reason for name, reason in reasons.items()}, peers)


def measure(scale: Scale, made: Made, say: Callable[[str], None]) -> Report:
    """Every contender of every target, and the ceilings, in one run."""
    before = load_average()
    ceilings = _ceilings(scale, say)
    rows: list[Row] = []
    for target in scale.targets:
        rows += _rows(target, scale, made, say)
    header = machine_and_versions(["torch", "diffusers", "onnxruntime", "openvino", "nncf"]) | {
        "command": f"just benchmark-full --rounds {scale.rounds}",
        "peers": peer_versions() or "not installed",
        "load average": f"{before} before, {load_average()} after; the benchmark itself makes up to 2",
        "picture": "{}x{}".format(*_size(scale)),
        "ceiling size": str(scale.ceiling),
        "rounds": f"{scale.rounds}; in each {scale.runs.get(UNET, 1)} runs of a U-Net, 1 of anything else",
    }
    return Report(header, ceilings, tuple(rows), scale.steps, scale.paper_steps)


def _size(scale: Scale) -> tuple[int, int]:
    own = preset(scale.presets["ours"])
    return own.height, own.width


def _ceilings(scale: Scale, say: Callable[[str], None]) -> tuple[Ceiling, ...]:
    size = str(scale.ceiling)
    entries = [
        Entry(
            f"ceiling {library} {precision}",
            [*CHILD, "ceiling", library, precision, size],
            scale.runs.get("ceiling", 1),
        )
        for library, precision in scale.ways
    ]
    found = take_turns(entries, scale.rounds, say)
    return tuple(
        Ceiling(*of, None if taken.failed else flops(scale.ceiling) / median(taken.milliseconds) / 1e6, taken.failed)
        for of, taken in zip(scale.ways, found, strict=True)
    )


def _rows(target: str, scale: Scale, made: Made, say: Callable[[str], None]) -> list[Row]:
    contenders = [row for row in scale.contenders if target in row.targets]
    able = [row for row in contenders if _missing(row, made) is None]
    entries = [
        Entry(f"{target} {row.name}", _command(row, target, scale, made), scale.runs.get(target, 1)) for row in able
    ]
    taken = dict(zip(able, take_turns(entries, scale.rounds, say), strict=True))
    costs = {
        (row.network, row.autoencoder): component_costs(
            with_autoencoder(preset(scale.presets[row.network]), row.autoencoder)
        )
        for row in {(row.network, row.autoencoder): row for row in contenders}.values()
    }
    verified = {autoencoder: _verified(bundle) for autoencoder, bundle in made.bundles.items()}
    rows = []
    for row in contenders:
        of = costs[row.network, row.autoencoder]
        calls = {ENCODER: 2, UNET: scale.steps, DECODER: 1 if target == TRY_ON else 2}
        whole = target in (TRY_ON, DETAIL)
        work = sum(of[name].flops * times for name, times in calls.items()) if whole else of[target].flops
        rows.append(
            Row(
                name=row.name,
                side=row.side,
                network=row.network,
                engine=row.engine,
                precision=row.precision,
                autoencoder=row.autoencoder,
                target=target,
                gflops=work / 1e9,
                note=row.note,
                **_told(taken.get(row), _missing(row, made)),
                **verified[row.autoencoder].get((row.artifact, target), {}),
            )
        )
    return rows


def _told(taken: Taken | None, missing: str | None) -> dict[str, Any]:
    if taken is None:
        return {"failed": missing}
    if taken.failed is not None:
        return {"failed": taken.failed}
    times = taken.milliseconds
    return {
        "p50_ms": median(times),
        "least_ms": min(times),
        "most_ms": max(times),
        "runs": len(times),
        "peak_rss_bytes": taken.peak_rss_bytes,
        "load_s": taken.load_s,
    }


def _command(row: Contender, target: str, scale: Scale, made: Made) -> list[str]:
    if row.engine in PEERS:
        return peer_command(row.engine, made.peers, made.bundles["tiny"].manifest.model)
    bundle = str(made.bundles[row.autoencoder].root.resolve()) if row.network == "ours" else None
    task = Task(row.engine, row.precision, target, scale.presets[row.network], row.autoencoder, bundle, scale.steps)
    return [*CHILD, "work", json.dumps(asdict(task))]


def _missing(row: Contender, made: Made) -> str | None:
    """Why a contender cannot be measured; None if it can."""
    if row.engine in PEERS:
        return made.left_out.get(("", row.engine))
    name = row.artifact
    if name is None or name in made.bundles[row.autoencoder].manifest.artifacts:
        return None
    return made.left_out.get((row.autoencoder, name), "not exported")


def _verified(bundle: Bundle) -> dict[tuple[str, str], dict[str, Any]]:
    """By artifact and component, and of the whole by artifact and try-on, what verification found."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    file = bundle.root / "verify.json"
    report = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"artifacts": []}
    for artifact in report["artifacts"]:
        name = artifact["artifact"]
        for component in {call["component"] for call in artifact["calls"]}:
            calls = [call for call in artifact["calls"] if call["component"] == component]
            found[name, component] = {
                "psnr_db": min(call["psnr_db"] for call in calls),
                "cosine": min(call["cosine"] for call in calls),
                "gated": all(call["passed"] for call in calls),
            }
        if artifact["picture_psnr_db"] is not None:
            found[name, DETAIL] = {"psnr_db": artifact["picture_psnr_db"], "gated": artifact["passed"]}
    return found
