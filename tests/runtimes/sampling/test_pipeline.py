from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton.tryon.detail import carry_detail
from lite_vton.tryon.inputs import TryOnInputs, to_picture
from lite_vton_runtimes.base import Runtime
from lite_vton_runtimes.onnxruntime.runtime import OnnxRuntime
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.sampling.pipeline import encode, try_on
from lite_vton_runtimes.sampling.sampler import Step
from lite_vton_runtimes.torch.runtime import TorchRuntime


def torch_runtime(made: Any) -> Runtime:
    return TorchRuntime(made.modules, made.bundle.manifest.components)


def of(made: Any) -> tuple[ModelConfig, float]:
    return made.bundle.manifest.model, made.bundle.manifest.latent_scale


@pytest.mark.slow
@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_same_seed_gives_the_same_picture_on_every_backend(method: str, made: Any, inputs: TryOnInputs) -> None:
    options: dict[str, Any] = {"method": method, "steps": 5, "seed": 9}
    reference = try_on(torch_runtime(made), inputs, *of(made), **options)
    ours = try_on(OnnxRuntime(made.bundle), inputs, *of(made), **options)
    assert np.abs(ours.decoded - reference.decoded).max() < 1e-4
    assert np.abs(ours.picture.astype(int) - reference.picture.astype(int)).max() <= 1


def test_another_seed_gives_another_picture(made: Any, inputs: TryOnInputs) -> None:
    runtime = OnnxRuntime(made.bundle)
    one, two, again = (try_on(runtime, inputs, *of(made), steps=3, seed=seed).picture for seed in (1, 2, 1))
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != two.tobytes()


def test_pixels_outside_the_mask_are_the_persons_own(made: Any, inputs: TryOnInputs) -> None:
    result = try_on(OnnxRuntime(made.bundle), inputs, *of(made), steps=2, detail=False)
    repaint = inputs.mask[0, 0] > 0.5
    assert result.picture.dtype == np.uint8
    np.testing.assert_array_equal(result.picture[~repaint], to_picture(inputs.person)[~repaint])
    np.testing.assert_array_equal(result.picture[repaint], to_picture(result.decoded)[repaint])
    assert (result.picture[repaint] != to_picture(inputs.person)[repaint]).any()


def test_detail_is_carried_over_unless_declined(made: Any, inputs: TryOnInputs) -> None:
    options: dict[str, Any] = {"steps": 2}
    runtime = OnnxRuntime(made.bundle)
    result = try_on(runtime, inputs, *of(made), **options)
    repaint = inputs.mask[0, 0] > 0.5
    _, scale = of(made)
    latent = encode(runtime, inputs.masked_person, scale) / np.float32(scale)
    reconstruction = runtime.components["vae_decoder"]({"latent_sample": latent})["sample"]
    carried = to_picture(carry_detail(result.decoded, inputs.masked_person, reconstruction))
    np.testing.assert_array_equal(result.picture[repaint], carried[repaint])
    np.testing.assert_array_equal(result.picture[~repaint], to_picture(inputs.person)[~repaint])


def test_the_unet_sees_noisy_latent_mask_masked_person_and_pose(made: Any, inputs: TryOnInputs) -> None:
    """Watched from outside: a runtime whose U-Net passes everything on and keeps what it saw."""
    real = OnnxRuntime(made.bundle)
    seen: list[Any] = []

    class Watching:
        name = "watching"

        @property
        def components(self) -> dict[str, Any]:
            return {**real.components, "unet": self.unet}

        def unet(self, tensors: Any) -> Any:
            seen.append(tensors)
            return real.components["unet"](tensors)

        def close(self) -> None:
            real.close()

    result = try_on(Watching(), inputs, *of(made), steps=3)
    _, scale = of(made)
    masked = encode(real, inputs.masked_person, scale)
    moments = real.components["vae_encoder"]({"sample": inputs.pose})["latent_parameters"]
    for call, step in zip(seen, result.steps, strict=True):
        np.testing.assert_array_equal(call["sample"][:, :4], step.x_t)
        np.testing.assert_array_equal(call["sample"][:, 5:9], masked)
        np.testing.assert_array_equal(call["sample"][:, 9:], moments[:, :4] * np.float32(scale))
        assert call["timestep"].tolist() == [step.timestep]
        mask = call["sample"][0, 4]
        expected = np.zeros_like(mask)
        expected[2:7, 1:5] = 1  # rows 19 to 49, columns 11 to 39, in tiles of 8
        np.testing.assert_array_equal(mask, expected)


def test_each_step_is_reported_as_it_is_done_and_the_caller_can_stop(made: Any, inputs: TryOnInputs) -> None:
    runtime = OnnxRuntime(made.bundle)
    seen: list[Step] = []
    result = try_on(runtime, inputs, *of(made), steps=4, on_step=seen.append)
    assert [step.index for step in seen] == [0, 1, 2, 3]
    assert tuple(seen) == result.steps

    def stop(step: Step) -> None:
        if step.index == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_on(runtime, inputs, *of(made), steps=4, on_step=stop)


def test_inputs_of_another_size_are_refused(made: Any, inputs: TryOnInputs) -> None:
    narrow = TryOnInputs(*(a[..., :-8] for a in (inputs.person, inputs.mask, inputs.masked_person, inputs.pose)))
    with pytest.raises(UserError, match="at the size of this bundle"):
        try_on(OnnxRuntime(made.bundle), narrow, *of(made))


def test_a_network_that_answers_nan_is_named(made: Any, inputs: TryOnInputs) -> None:
    poisoned = replace(inputs, pose=np.full_like(inputs.pose, np.nan))
    with pytest.raises(UserError, match="vae_encoder on onnxruntime-fp32 answered NaN"):
        try_on(OnnxRuntime(made.bundle), poisoned, *of(made))


class Counting:
    """An encoder that takes `batch` pictures, and answers with what it was given and its negative."""

    def __init__(self, batch: int) -> None:
        self.batch, self.calls = batch, 0

    name = "counting"

    @property
    def components(self) -> dict[str, Any]:
        return {"vae_encoder": self.encode}

    def encode(self, tensors: Any) -> Any:
        self.calls += 1
        assert len(tensors["sample"]) == self.batch
        return {"latent_parameters": np.concatenate([tensors["sample"], -tensors["sample"]], axis=1)}

    def close(self) -> None: ...


@pytest.mark.parametrize(("pictures", "batch", "calls"), [(1, 1, 1), (2, 1, 2), (2, 2, 1), (1, 2, 1), (3, 2, 2)])
def test_pictures_are_encoded_in_as_many_calls_as_the_encoder_needs(pictures: int, batch: int, calls: int) -> None:
    runtime = Counting(batch)
    given = np.random.default_rng(0).standard_normal((pictures, 3, 8, 8), dtype=np.float32)
    np.testing.assert_array_equal(encode(runtime, given, 0.5, batch), given * np.float32(0.5))
    assert runtime.calls == calls
