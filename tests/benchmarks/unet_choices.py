"""Which shape a student's U-Net should have: each choice counted, timed at full size, and distilled at the demo's size.

    python tests/benchmarks/unet_choices.py count
    python tests/benchmarks/unet_choices.py build [CHOICE...] [--divide 2]     # full size: 4 GB, minutes a choice
    python tests/benchmarks/unet_choices.py latency [CHOICE...] [--divide 2]   # what was built, on a quiet machine
    python tests/benchmarks/unet_choices.py quality [CHOICE...] [--seed 0] [--threads 1]
    python tests/benchmarks/unet_choices.py page

A choice is one literal in `CHOICES`. What was found is kept in `-o FOLDER` (runs/unet-choices), one JSON file a figure,
and `page` writes it between the marks of docs/unet-choices.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from lite_vton.model.components import components_of
from lite_vton.model.cost import Cost, module_cost
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import build_autoencoder
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.paper import PAPER
from lite_vton.presets.table import preset

__all__ = ["CHOICES", "MODEL", "Choice", "counted", "full_size", "within_bounds"]

MODEL = "litemp-vton"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PAGE = Path(__file__).parents[2] / "docs/unet-choices.md"


@dataclass(frozen=True)
class Choice:
    """Changes to the U-Net of `MODEL`, and to the demo student's that stand for them; `about` says what is changed.

    Without `demo` there is no quality to be had; with an empty one the demo student stands for it as it is.
    """

    name: str
    about: str
    full: Mapping[str, Any] = field(default_factory=dict)
    demo: Mapping[str, Any] | None = None


_LOWEST = (False, False, True, False)
"""Self-attention at 16x12 alone."""

CHOICES: Mapping[str, Choice] = MappingProxyType(
    {
        choice.name: choice
        for choice in (
            Choice("before", "320/448/640/640, layers 2,2,2,1, attention on levels 1-2, SiLU", demo={}),
            Choice("relu", "ReLU for SiLU", {"activation": "relu"}, {"activation": "relu"}),
            Choice(
                "one-layer-above",
                "320/384/640/704, layers 1,1,2,2, attention on levels 1-2",
                {"channels": (320, 384, 640, 704), "layers_per_block": (1, 1, 2, 2)},
            ),
            Choice(
                "attention-lowest",
                "320/384/640/704, layers 1,2,2,2, attention on level 2",
                {"channels": (320, 384, 640, 704), "layers_per_block": (1, 2, 2, 2), "attention": _LOWEST},
                {"attention": (False, False, True)},
            ),
            Choice(
                "coarse",
                "256/384/640/768, layers 1,1,2,2, attention on level 2",
                {"channels": (256, 384, 640, 768), "layers_per_block": (1, 1, 2, 2), "attention": _LOWEST},
                {"channels": (48, 80, 160), "attention": (False, False, True)},
            ),
        )
    }
)
"""In the order of the page. All keep within the paper's bounds (`within_bounds`), as a test has it."""


def full_size(choice: Choice, divide: int = 1) -> ModelConfig:
    """`MODEL` with the choice's U-Net, its channels divided by `divide`: a machine too small times a narrower one."""
    config = preset(MODEL)
    before = {
        "channels": (320, 448, 640, 640),
        "layers_per_block": (2, 2, 2, 1),
        "attention": (False, True, True, False),
        "activation": "silu",
    }
    unet = replace(config.unet, **{**before, **choice.full})
    return replace(config, unet=replace(unet, channels=tuple(width // divide for width in unet.channels)))


def counted(choice: Choice, divide: int = 1) -> tuple[int, Cost]:
    """Parameters of all networks together, AutoencoderKL included, and the cost of one step."""
    config = full_size(choice, divide)
    sample, timestep = (tensor.shape for tensor in components_of(config)["unet"].inputs(config))
    with torch.device("meta"):
        unet = Denoiser(config, build_unet(config))
        step = module_cost(unet, [torch.zeros(sample), torch.zeros(timestep, dtype=torch.int64)])
        autoencoder = build_autoencoder(config.autoencoder)
    return step.parameters + sum(weight.numel() for weight in autoencoder.parameters()), step


def within_bounds(parameters: int, step: Cost) -> bool:
    """Whether that is the paper's student: its parameters to a percent, and no more operations a step than it has."""
    paper = PAPER[MODEL]
    return abs(parameters / paper.parameters - 1) <= 0.01 and step.flops <= (paper.flops or 0)


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("count", "build", "latency", "quality", "page"))
    parser.add_argument("choices", nargs="*", metavar="CHOICE", help=f"of {', '.join(CHOICES)}; default: all")
    parser.add_argument("--divide", type=int, default=1, help="channels by this, for a machine too small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/unet-choices"))
    arguments = parser.parse_args()
    chosen = [CHOICES[name] for name in arguments.choices or CHOICES]
    _VERBS[arguments.verb](chosen, arguments)


def _count(chosen: list[Choice], _: argparse.Namespace) -> None:
    for choice in chosen:
        parameters, step = counted(choice)
        bounds = "within" if within_bounds(parameters, step) else "OUT OF"
        print(f"{choice.name}: {parameters / 1e6:.2f} M, {step.flops / 1e9:.1f} GFLOPs, {bounds} the paper's bounds")


def _build(chosen: list[Choice], arguments: argparse.Namespace) -> None:
    from unet_latency import built

    for choice in chosen:
        built(full_size(choice, arguments.divide), _networks(choice, arguments))
        print(choice.name, flush=True)


def _latency(chosen: list[Choice], arguments: argparse.Namespace) -> None:
    from unet_latency import measured

    for choice in chosen:
        file = arguments.output / f"latency-{arguments.divide}/{choice.name}.json"
        if not file.is_file():
            parameters, step = counted(choice, arguments.divide)
            found = measured(
                full_size(choice, arguments.divide), _networks(choice, arguments), arguments.threads or None
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            about = {"parameters": parameters, "flops": step.flops, "date": time.strftime("%Y-%m-%d")}
            file.write_text(json.dumps(about | found, indent=2) + "\n", encoding="utf-8")
        print(choice.name, file.read_text(encoding="utf-8"), flush=True)


def _networks(choice: Choice, arguments: argparse.Namespace) -> Path:
    folder: Path = arguments.output / f"networks-{arguments.divide}" / choice.name
    return folder


def _quality(chosen: list[Choice], arguments: argparse.Namespace) -> None:
    from unet_quality import distilled

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for choice in chosen:
        if choice.demo is not None:
            print(choice.name, distilled(choice.name, choice.demo, arguments.seed, arguments.output), flush=True)


def _page(chosen: list[Choice], arguments: argparse.Namespace) -> None:
    from unet_page import tables

    text = PAGE.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    rows = [(choice.name, choice.about) for choice in chosen]
    PAGE.write_text(f"{head}{BEGIN}\n{tables(rows, arguments.output)}\n{END}{tail}", encoding="utf-8")


_VERBS = {"count": _count, "build": _build, "latency": _latency, "quality": _quality, "page": _page}

if __name__ == "__main__":
    sys.exit(main())
