"""Goes on with the demo weights: autoencoder, teacher and student, who know drawings, learn photographs beside them.

`training.demo` begins with nothing. Here all of the networks learn together, by the picture they paint
(`training.painting`). `just train-demo-further` runs it, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lite_vton.model.networks import ASSETS, Networks, load_networks
from lite_vton.presets import preset
from training.bfloat16 import bf16_pays, in_bf16
from training.claimed_folder import claim
from training.demo_finish import paint_together, write_weights
from training.demo_record import write_record
from training.loop import LoopConfig
from training.mix.kinds import Amounts, pictures_by_kind
from training.mix.sources import Sources
from training.painting import Painting
from training.stages import Clock
from training.weights_digest import weights_digest

__all__ = ["FURTHER", "Further", "go_on"]


@dataclass(frozen=True)
class Further:
    """Everything the weights depend on beside those gone on with and the photographs.

    `presets` name the networks; the pairs are of the first one's size.
    """

    presets: tuple[str, ...]
    amounts: Amounts
    painting: Painting
    loop: LoopConfig


FURTHER = Further(
    presets=("demo", "demo-teacher"),
    amounts=Amounts(drawn=850, variants=16, mended=3, seed=20272),
    painting=Painting(shares={"photographs": 0.6, "mended": 0.1, "drawn": 0.3}),
    loop=LoopConfig(steps=1001, batch_size=64, learning_rate=5e-4, ema_decay=0.998, checkpoint_every=100),
)
"""As long as five minutes of an H200 were. More of it teaches the people trained on alone (docs/method.md)."""


def go_on(
    folder: Path,
    assets: Path,
    start: Mapping[str, Networks],
    before: Mapping[str, object],
    further: Further = FURTHER,
    sources: Sources = Sources(),  # noqa: B008  # frozen
) -> None:
    """Teach `start`, by the names of their presets, in `folder`; fp16 weights and `recipe.json` go to `assets`.

    All of `start` share one autoencoder. `before` is the record of how they were made.
    """
    networks = [start[name] for name in further.presets]
    digests = {each.config.name: weights_digest(each.autoencoder, each.unet) for each in networks}
    claim(folder / "recipe.json", asdict(further) | {"from": digests}, "a run of another recipe")
    clock = Clock(folder / "minutes.json")
    kinds = pictures_by_kind(folder, further.amounts, sources, networks[0].config)
    paint_together(networks, kinds, further.loop, further.painting, folder, clock)
    write_weights(networks, assets)
    write_record(assets, asdict(further), clock, kinds, before=before)


def main() -> None:
    """Command line: where the photographs are, where to work, where to write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photographs", type=Path, required=True, help="folder that `lite-vton data ccp` made")
    parser.add_argument("--garments", type=Path, required=True, help="folder of garments' photos, to learn more from")
    parser.add_argument("--start", type=Path, default=ASSETS, help="folder of the weights to go on from")
    parser.add_argument("--folder", type=Path, default=Path("runs/demo-further"), help="data, checkpoints and logs")
    parser.add_argument("--assets", type=Path, default=ASSETS, help="where the weights go")
    arguments = parser.parse_args()
    further = in_bf16(FURTHER) if bf16_pays() else FURTHER
    start = {name: _networks_in(arguments.start, name) for name in further.presets}
    before = json.loads((arguments.start / "recipe.json").read_text(encoding="utf-8"))
    sources = Sources(arguments.photographs, arguments.garments)
    go_on(arguments.folder, arguments.assets, start, before, further, sources)


def _networks_in(folder: Path, name: str) -> Networks:
    """Of a preset that comes with weights, those of their kind in `folder`."""
    config = preset(name)
    assert config.shipped_weights is not None
    return load_networks(config, *(folder / file for file in config.shipped_weights))


if __name__ == "__main__":
    main()
