"""Who is measured at what, as frozen tables; a contender is added by adding one literal."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CONTENDERS",
    "DECODER",
    "DETAIL",
    "ENCODER",
    "FULL",
    "QUICK",
    "TRY_ON",
    "UNET",
    "Contender",
    "Scale",
]

UNET, ENCODER, DECODER = "unet", "vae_encoder", "vae_decoder"
TRY_ON, DETAIL = "try_on", "try_on_detail"
"""The whole of it: two encodes, the steps, one decode; with the garment's detail carried over, one decode more."""

_ALL = (UNET, ENCODER, DECODER, TRY_ON, DETAIL)
_AROUND = (ENCODER, DECODER, TRY_ON, DETAIL)
"""What a second autoencoder changes: the U-Net has been measured with the first."""


@dataclass(frozen=True)
class Contender:
    """One network or pipeline on one engine.

    `network`    "teacher", "student" or "ours": a key of `Scale.presets`
    `engine`     a key of `tests.benchmarks.full.engines.ENGINES`, or one of the peers' that start with "optimum-"
    `precision`  what its ceiling is: fp32, bf16 or int8
    `side`       "paper", "ours" or "peer"
    """

    name: str
    network: str
    engine: str
    precision: str
    side: str
    targets: tuple[str, ...] = (UNET,)
    autoencoder: str = "kl"
    note: str = ""

    @property
    def artifact(self) -> str | None:
        """Which folder of a bundle it runs; None for torch and the peers."""
        folder = {"onnxruntime": "onnx", "openvino": "openvino"}.get(self.engine)
        return None if folder is None else f"{folder}-{self.precision}"


@dataclass(frozen=True)
class Scale:
    """How large, and how often.

    `presets` by network; `runs` in each of `rounds`, by target, 1 where it says nothing; `paper_steps` are what (a) and
    (b) sample in; `ceiling` the side of the matrices. `only` names the contenders, and `ways` the ceilings, to measure.
    """

    presets: dict[str, str]
    rounds: int
    runs: dict[str, int]
    steps: int = 4
    paper_steps: int = 50
    ceiling: int = 4096
    targets: tuple[str, ...] = _ALL
    only: tuple[str, ...] | None = None
    ways: tuple[tuple[str, str], ...] = (
        ("torch", "fp32"),
        ("openvino", "fp32"),
        ("torch", "bf16"),
        ("openvino", "bf16"),
        ("torch", "int8"),
        ("openvino", "int8"),
    )

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Who takes part."""
        return tuple(row for row in CONTENDERS if self.only is None or row.name in self.only)

    def artifacts(self, autoencoder: str) -> tuple[str, ...]:
        """What has to be exported with an autoencoder, as "openvino-int8"."""
        rows = (row for row in self.contenders if row.autoencoder == autoencoder and row.artifact is not None)
        return tuple(dict.fromkeys(str(row.artifact) for row in rows))


FULL = Scale(
    presets={"teacher": "teacher", "student": "litemp-vton-paper", "ours": "litemp-vton"},
    rounds=3,
    runs={UNET: 2, "ceiling": 3},
)
QUICK = Scale(
    presets=dict.fromkeys(("teacher", "student", "ours"), "tiny-kl"),
    rounds=1,
    runs={UNET: 3},
    ceiling=256,
    targets=(UNET, ENCODER, DECODER, TRY_ON),
    only=("teacher", "student", "torch fp32", "OpenVINO fp32", "OpenVINO fp32, tiny autoencoder"),
    ways=(("torch", "fp32"), ("openvino", "fp32")),
)
"""Tiny models and few contenders: whether all of it works together, in seconds."""

_PAPER = (
    Contender(
        "teacher",
        "teacher",
        "torch",
        "fp32",
        "paper",
        note="(a): diffusers' modules as they are, eager, three timed steps",
    ),
    Contender("student", "student", "torch", "fp32", "paper", note="(b): likewise, the paper's student by its GFLOPs"),
)
_OURS = (
    Contender("torch fp32", "ours", "torch", "fp32", "ours", _ALL, note="the very same network as all rows below"),
    Contender("torch fp32, tiny autoencoder", "ours", "torch", "fp32", "ours", _AROUND, "tiny"),
    Contender("ONNX Runtime fp32", "ours", "onnxruntime", "fp32", "ours", _ALL),
    Contender("ONNX Runtime fp32, tiny autoencoder", "ours", "onnxruntime", "fp32", "ours", _AROUND, "tiny"),
    Contender("ONNX Runtime int8, tiny autoencoder", "ours", "onnxruntime", "int8", "ours", _ALL, "tiny"),
    Contender("OpenVINO fp32", "ours", "openvino", "fp32", "ours", _ALL),
    Contender("OpenVINO fp32, tiny autoencoder", "ours", "openvino", "fp32", "ours", _AROUND, "tiny"),
    Contender("OpenVINO bf16", "ours", "openvino", "bf16", "ours", _ALL),
    Contender("OpenVINO bf16, tiny autoencoder", "ours", "openvino", "bf16", "ours", _AROUND, "tiny"),
    Contender("OpenVINO int8, tiny autoencoder", "ours", "openvino", "int8", "ours", _ALL, "tiny"),
)
_PEERS = (
    Contender("torch fp32, channels last", "ours", "torch-channels-last", "fp32", "peer"),
    Contender(
        "torch.compile fp32",
        "ours",
        "torch-compile",
        "fp32",
        "peer",
        note="inductor with weights frozen, which lets it pack them once; channels last",
    ),
    Contender("torch.compile bf16", "ours", "torch-compile-bf16", "bf16", "peer", note="the same on bfloat16 weights"),
    Contender(
        "Optimum on ONNX Runtime",
        "ours",
        "optimum-onnx",
        "fp32",
        "peer",
        note="optimum-onnx' own export, dynamic shapes, a session of default options",
    ),
    Contender(
        "optimum-intel",
        "ours",
        "optimum-intel",
        "bf16",
        "peer",
        note="its own export, reshaped to this size; it leaves the precision to OpenVINO, which takes bfloat16 here",
    ),
    Contender(
        "optimum-intel, int8 weights",
        "ours",
        "optimum-intel-int8",
        "bf16",
        "peer",
        note="its 8-bit weight compression; products are computed in bfloat16. Its full int8 calibrates on a text "
        "pipeline's prompts, which this network has none of",
    ),
)
CONTENDERS: tuple[Contender, ...] = (*_PAPER, *_OURS, *_PEERS)
