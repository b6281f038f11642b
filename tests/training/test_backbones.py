"""Where the weights of LPIPS and FID come from, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lite_vton.errors import UserError
from lite_vton_training.metrics import find_backbones

Weights = dict[str, torch.Tensor]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_without_weights_the_metrics_are_left_out_with_what_to_put_where(cache: Path) -> None:
    found = find_backbones()
    assert found.lpips is None
    assert found.inception is None
    assert found.sources == ()
    lpips, fid = found.left_out
    assert (lpips.metrics, fid.metrics) == ("LPIPS", "FID and KID")
    assert f"save alexnet-owt-7be5be79.pth in {cache}" in lpips.why
    assert "--lpips-weights" in lpips.why
    assert f"save weights-inception-2015-12-05-6726825d.pth in {cache}" in fid.why
    assert "--inception-weights" in fid.why


@pytest.mark.slow
def test_weights_are_found_in_torchs_cache(cache: Path, alexnet: Weights, inception: Weights) -> None:
    torch.save(alexnet, cache / "alexnet-owt-7be5be79.pth")
    torch.save(inception, cache / "pt_inception-2015-12-05-6726825d.pth")
    found = find_backbones()
    assert found.lpips is not None
    assert found.inception is not None
    assert found.left_out == ()
    assert [source.file for source in found.sources] == [
        "alexnet-owt-7be5be79.pth",
        "pt_inception-2015-12-05-6726825d.pth",
    ]
    assert not any(source.published for source in found.sources), "the names are right, the checksums are not"


def test_a_named_file_comes_before_the_cache_and_may_be_safetensors(cache: Path, alexnet: Weights) -> None:
    torch.save({"features.0.weight": torch.zeros(1)}, cache / "alexnet-owt-7be5be79.pth")
    save_file(alexnet, cache.parent / "mine.safetensors")
    found = find_backbones(lpips=cache.parent / "mine.safetensors")
    assert found.lpips is not None
    assert torch.equal(found.lpips.features[0].weight, alexnet["features.0.weight"])
    assert [left_out.metrics for left_out in found.left_out] == ["FID and KID"]


class Holder(torch.nn.Module):
    """A module of a program that only holds weights."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def as_clean_fid_has_it(weights: Weights, file: Path) -> None:
    """The same weights as a TorchScript program with TensorFlow's names for each convolution."""
    from lite_vton_training.metrics.inception_names import _PARTS, _units

    root, ours = Holder(), {unit: place for place, unit in _units()}
    for name, tensor in {**weights, "fc.weight": torch.zeros(1008, 2048)}.items():
        unit, _, part = name.partition(".conv.") if ".conv." in name else name.partition(".bn.")
        kind = f"conv.{part}" if ".conv." in name else f"bn.{part}"
        if unit not in ours and name != "fc.weight":
            continue
        if kind == "bn.weight":
            continue
        theirs = {value: key for key, value in _PARTS.items()}
        path = "output.weight" if name == "fc.weight" else f"layers.{ours[unit]}.{theirs[kind]}"
        *places, last = _nested(path).split(".")
        module = root
        for place in places:
            if not hasattr(module, place):
                module.add_module(place, Holder())
            module = module.get_submodule(place)  # type: ignore[assignment]
        module.register_buffer(last, tensor.clone())
    torch.jit.script(root).save(str(file))


def _nested(path: str) -> str:
    """`tower_1_conv_2` as the published program has it, a module within a module, but for the last two blocks."""
    import re

    return path if re.search(r"mixed_(9|10)\.", path) else re.sub(r"\.(tower(?:_\d)?)_conv", r".\1.conv", path)


@pytest.mark.slow
def test_clean_fids_program_is_read_without_being_run(cache: Path, inception: Weights) -> None:
    plain = {name: torch.ones_like(w) if name.endswith("bn.weight") else w for name, w in inception.items()}
    as_clean_fid_has_it(plain, cache / "inception-2015-12-05.pt")
    found = find_backbones()
    assert found.inception is not None
    state = found.inception.state_dict()
    assert all(torch.equal(state[name], weight) for name, weight in plain.items() if name in state)
    assert [source.file for source in found.sources] == ["inception-2015-12-05.pt"]


class Code:
    """What a pickle with code in it would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must not be printed",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no weights at"),
        (b"", "holds no weights that can be read"),
        (b"not a checkpoint", "holds no weights that can be read"),
        (Code(), "without running code"),
        ([torch.zeros(1)], "is no state dict"),
        ({"features.0.weight": torch.zeros(64, 3, 7, 7)}, "not the weights of torchvision's AlexNet"),
    ],
)
def test_a_file_that_is_no_alexnet_is_refused(
    content: object, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(UserError, match=said) as caught:
        find_backbones(lpips=file)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""
