from __future__ import annotations

import pytest

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of, several_of, words


def test_lists_are_split_trimmed_and_each_word_kept_once() -> None:
    assert words(" fp32, fp16,,fp32") == ("fp32", "fp16")


def test_the_nearest_name_is_suggested() -> None:
    with pytest.raises(UserError, match="unknown backend 'onxruntime': did you mean 'onnxruntime'"):
        one_of("backend", "onxruntime", ("onnxruntime", "torch"))


def test_far_from_any_name_all_are_listed() -> None:
    with pytest.raises(UserError, match="choose one of onnxruntime, torch"):
        one_of("backend", "zzz", ("onnxruntime", "torch"))


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(UserError, match="no backend given"):
        several_of("backend", " , ", ("torch",))
