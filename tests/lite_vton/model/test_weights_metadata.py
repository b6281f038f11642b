"""What weights say of themselves is a value that it can have, or is refused with the file's name, in one line."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.model.weights_metadata import SCALES, latent_scale_of, metadata_of, model_of
from lite_vton.presets.table import PRESETS, preset

FILE = Path("unet.safetensors")


def written(file: Path, metadata: object) -> Path:
    """A file of weights without weights."""
    header = json.dumps({"__metadata__": metadata}).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)
    return file


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_as_it_is(name: str) -> None:
    assert model_of({"preset": name, "latent_scale": "0.5", "format": "pt"}, FILE) == preset(name)


def test_steps_and_scale_are_read() -> None:
    assert model_of({"preset": "tiny", "default_steps": "4"}, FILE).default_steps == 4
    assert latent_scale_of({"latent_scale": "0.18215"}, FILE, 1.0) == 0.18215
    assert latent_scale_of({}, FILE, 0.7) == 0.7


@pytest.mark.parametrize(
    "scale", ["0", "-1", "inf", "-inf", "nan", "1e300", "1e-300", "", "one", "0x1", "1,0", "9" * 5000]
)
def test_a_scale_that_latents_cannot_have_is_refused(scale: str) -> None:
    with pytest.raises(UserError, match=r"unet.safetensors scales latents by '.*', not by 0.001 to 1000") as error:
        latent_scale_of({"latent_scale": scale}, FILE, 1.0)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("steps", ["0", "-1", "601", "1.5", "nan", "", "four", "1_0", " 4", "٤", "9" * 5000])
def test_steps_that_nobody_can_sample_in_are_refused(steps: str) -> None:
    with pytest.raises(UserError, match=r"samples in '.*' steps, not in 1 to 600"):
        model_of({"preset": "tiny", "default_steps": steps}, FILE)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "does not say which preset"),
        ({"preset": "tiny", "pose": "ON"}, "the pose is 'ON'"),
        ({"preset": "tiny", "mask": "improoved"}, "did you mean 'improved'"),
        ({"preset": "tiny", "autoencoder": "kll"}, "unknown autoencoder 'kll'"),
        ({"preset": "tiny", "autoencoder": ""}, "unknown autoencoder ''"),
    ],
)
def test_a_model_that_there_is_not_is_refused(metadata: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        model_of(metadata, FILE)
    assert "unet.safetensors" in str(error.value)


@pytest.mark.parametrize(
    "metadata",
    [
        {"preset": "tinny"},
        {"preset": ""},
        {"preset": "x" * 100_000},
        {"preset": "tiny", "widths": "64"},
        {"preset": "tiny", "mask": "x" * 100_000},
    ],
)
def test_what_a_file_of_ours_cannot_say_is_refused(metadata: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not known here: update lite-vton") as error:
        metadata_of(written(tmp_path / "unet.safetensors", metadata))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_somebody_elses_file_may_say_what_it_likes(tmp_path: Path) -> None:
    said = {"modelspec.title": "x" * 1000}
    assert metadata_of(written(tmp_path / "vae.safetensors", said)) == said


@pytest.mark.parametrize("metadata", [1, "tiny", ["tiny"], {"preset": 1}, {"preset": None}, {"preset": {"a": "b"}}])
def test_metadata_of_another_type_are_refused(metadata: object, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a readable safetensors file"):
        metadata_of(written(tmp_path / "unet.safetensors", metadata))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for file in ("empty.safetensors", "missing.safetensors", "."):
        with pytest.raises(UserError, match="not a readable safetensors file"):
            metadata_of(tmp_path / file)


_VALUES = st.text("019.-+einfa _\n٤", max_size=6) | st.sampled_from(
    ["tiny", "demo", "kl", "plain", "off", "4", "0.2", "inf", "1e9"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["preset", "latent_scale", "default_steps", "mask", "pose", "autoencoder", "more"]), _VALUES
    )
)
def test_any_metadata_are_a_model_or_refused(metadata: dict[str, str]) -> None:
    try:
        config = model_of(metadata, FILE)
        scale = latent_scale_of(metadata, FILE, 1.0)
    except UserError:
        return
    assert config.name == metadata["preset"]
    assert 1 <= config.default_steps <= config.schedule.num_train_timesteps
    assert SCALES[0] <= scale <= SCALES[1]
