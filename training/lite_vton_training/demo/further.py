"""Goes on with the demo weights: autoencoder, teacher and student, who know drawings, learn photographs beside them.

`lite_vton_training.demo.recipe` begins with nothing. Here all of the networks learn together, by the picture they paint
(`lite_vton_training.trainers.painting`), in rounds. `just train-demo-further` runs it, and a run that was stopped goes
on where it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lite_vton.model.networks import ASSETS, Networks, load_networks
from lite_vton.presets.table import preset
from lite_vton_training.demo.averaging import averaged
from lite_vton_training.demo.finish import paint_together, weight_names, write_weights
from lite_vton_training.demo.record import RECORD, read_record, record_of, write_record
from lite_vton_training.loop.bfloat16 import bf16_pays, in_bf16
from lite_vton_training.loop.claimed_folder import claim
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.stages import Clock
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.mix.kinds import Amounts, pictures_by_kind
from lite_vton_training.mix.sources import Sources
from lite_vton_training.trainers.painting import Painting

__all__ = ["FURTHER", "Further", "go_on"]


@dataclass(frozen=True)
class Further:
    """One round: everything its weights depend on beside those gone on with and the photographs.

    `presets` name the networks; the pairs are of the first one's size. Each of `seeds` is a run of `loop` from the same
    start, and the round's weights are the mean of theirs.
    """

    presets: tuple[str, ...]
    amounts: Amounts
    painting: Painting
    loop: LoopConfig
    seeds: tuple[int, ...] = (0,)


_PRESETS = ("demo", "demo-teacher")
_PAINTING = Painting(shares={"photographs": 0.6, "mended": 0.1, "drawn": 0.3})

FURTHER: tuple[Further, ...] = (
    Further(
        presets=_PRESETS,
        amounts=Amounts(drawn=850, variants=16, mended=3, seed=20272),
        painting=_PAINTING,
        loop=LoopConfig(steps=1001, batch_size=64, learning_rate=5e-4, ema_decay=0.998, checkpoint_every=100),
    ),
    Further(
        presets=_PRESETS,
        amounts=Amounts(drawn=3800, variants=8, mended=1, seed=20274),
        painting=_PAINTING,
        loop=LoopConfig(
            steps=400, batch_size=8, learning_rate=2e-4, warmup_steps=40, ema_decay=0.995, checkpoint_every=50
        ),
        seeds=(1, 2),
    ),
    Further(
        presets=_PRESETS,
        amounts=Amounts(drawn=1500, variants=6, mended=1, seed=20275),
        painting=Painting(shares={"photographs": 0.7, "mended": 0.05, "drawn": 0.25}),
        loop=LoopConfig(
            steps=300, batch_size=8, learning_rate=3e-4, warmup_steps=40, ema_decay=0.99, checkpoint_every=150
        ),
    ),
)
"""A round as long as five minutes of an H200 are; a short one at a lower rate on variants not seen before, run twice
and averaged; one on garments that lie where they lay, as the first two had not. More of any of them teaches the people
trained on alone (docs/method.md)."""


def go_on(
    folder: Path,
    assets: Path,
    start: Mapping[str, Networks],
    before: Mapping[str, object],
    rounds: Sequence[Further] = FURTHER,
    sources: Sources = Sources(),  # noqa: B008  # frozen
) -> None:
    """Teach `start`, by the names of their presets, round by round; fp16 weights and `recipe.json` go to `assets`.

    All of `start` share one autoencoder. `before` is the record of how they were made. A round works in `folder/N`; one
    that was finished is not done again.
    """
    for number, further in enumerate(rounds, 1):
        networks = [start[name] for name in further.presets]
        start, before = _round(folder / str(number), networks, before, further, sources)
    write_weights(list(start.values()), assets)
    write_record(assets, before)


def _round(
    folder: Path, networks: Sequence[Networks], before: Mapping[str, object], further: Further, sources: Sources
) -> tuple[Mapping[str, Networks], Mapping[str, object]]:
    """What `networks` have become by it, as float16 kept them, and its record."""
    digests = {each.config.name: weights_digest(each.autoencoder, each.unet) for each in networks}
    claim(folder / "recipe.json", asdict(further) | {"from": digests}, "a run of another recipe")
    weights = folder / "weights"
    if not (weights / RECORD).is_file():
        clock = Clock(folder / "minutes.json")
        kinds = pictures_by_kind(folder, further.amounts, sources, networks[0].config)
        made = []
        for seed in further.seeds:
            made.append(deepcopy(list(networks)))
            loop = replace(further.loop, seed=seed)
            paint_together(made[-1], kinds, loop, further.painting, folder / f"seed-{seed}", clock)
        write_weights(averaged(made), weights)
        write_record(weights, record_of(asdict(further), clock, kinds, before=before))
    return {name: _networks_in(weights, name) for name in further.presets}, read_record(weights)


def main() -> None:
    """Command line: where the photographs are, where to work, where to write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photographs", type=Path, required=True, help="folder that `lite-vton data ccp` made")
    parser.add_argument("--garments", type=Path, required=True, help="folder of garments' photos, to learn more from")
    parser.add_argument("--start", type=Path, default=ASSETS, help="folder of the weights to go on from")
    parser.add_argument("--folder", type=Path, default=Path("runs/demo-further"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    arguments = parser.parse_args()
    rounds = in_bf16(FURTHER) if bf16_pays() else FURTHER
    start = {name: _networks_in(arguments.start, name) for name in rounds[0].presets}
    sources = Sources(arguments.photographs, arguments.garments)
    go_on(arguments.folder, arguments.assets, start, read_record(arguments.start), rounds, sources)


def _networks_in(folder: Path, name: str) -> Networks:
    """Those that `write_weights` left in `folder`."""
    config = preset(name)
    return load_networks(config, *(folder / file for file in weight_names(config)))


if __name__ == "__main__":
    main()
