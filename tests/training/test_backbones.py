"""Where the weights of LPIPS and FID come from, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lite_vton.errors import UserError
from training.metrics import find_backbones

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
