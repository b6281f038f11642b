from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lite_vton.atomic import claim
from lite_vton_export.tensorrt.cache import cache_folder, engine_from_cache
from lite_vton_runtimes.tensorrt.engine import check_engine, read_record
from tests.runtimes.tensorrt.engine_request import REQUEST


class Builder:
    """Counts how often it was called for; each engine is another."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self) -> memoryview:
        self.built += 1
        return memoryview(b"engine %d" % self.built)


@pytest.fixture
def build() -> Builder:
    return Builder()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def whole(engine: Path) -> bytes:
    check_engine(engine, read_record(engine))
    return engine.read_bytes()


def test_the_same_request_is_built_once(tmp_path: Path, cache: Path, build: Builder) -> None:
    first, second = (engine_from_cache(REQUEST, build, tmp_path / name, cache) for name in "ab")
    assert build.built == 1
    assert whole(first) == whole(second) == b"engine 1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "1.8.0.1"),
        ("compute_capabilities", ("8.9",)),
        ("onnx_sha256", "1" * 64),
        ("tf32", True),
        ("built_on", "Linux x86_64, some GPU"),
    ],
)
def test_another_request_is_built_again_and_the_log_says_why(
    tmp_path: Path, cache: Path, build: Builder, caplog: pytest.LogCaptureFixture, field: str, value: object
) -> None:
    engine_from_cache(REQUEST, build, tmp_path / "a", cache)
    assert not caplog.messages  # nothing was there to be built again
    changed = REQUEST.model_copy(update={field: value})
    assert whole(engine_from_cache(changed, build, tmp_path / "b", cache)) == b"engine 2"
    assert caplog.messages == [f"building the engine of unet in fp16 again: {field} changed"]


def cut(entry: Path) -> None:
    (entry / "model.engine").write_bytes(b"eng")


def without_record(entry: Path) -> None:
    (entry / "model.json").unlink()


def other_bytes(entry: Path) -> None:
    (entry / "model.engine").write_bytes(b"engine 9")


@pytest.mark.parametrize("damage", [cut, without_record, other_bytes])
def test_a_damaged_or_half_written_engine_is_built_again_and_replaced(
    tmp_path: Path, cache: Path, build: Builder, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    engine_from_cache(REQUEST, build, tmp_path / "a", cache)
    (entry,) = cache.glob("*/*")
    damage(entry)
    assert whole(engine_from_cache(REQUEST, build, tmp_path / "b", cache)) == b"engine 2"
    assert caplog.messages == ["building the engine of unet in fp16 again: the cached one is damaged"]
    assert whole(engine_from_cache(REQUEST, build, tmp_path / "c", cache)) == b"engine 2"


def test_what_a_killed_process_left_is_not_taken_for_an_engine(tmp_path: Path, cache: Path, build: Builder) -> None:
    shelf = cache / "tiny-unet-fp16"
    half = shelf / ".lite-vton-0123abcd" / "draft"
    half.mkdir(parents=True)
    (half / "model.engine").write_bytes(b"eng")
    with claim(shelf / "another") as living:  # that may still be at it
        assert whole(engine_from_cache(REQUEST, build, tmp_path / "a", cache)) == b"engine 1"
        assert living.workspace.is_dir()
    assert [entry.name for entry in shelf.iterdir()] == [REQUEST.key]


def _die() -> memoryview:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_build_that_is_killed_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=engine_from_cache, args=(REQUEST, _die, tmp_path / "a", cache)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    def fail() -> memoryview:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        engine_from_cache(REQUEST, fail, tmp_path / "a", cache)
    assert list(tmp_path.iterdir()) == []


def test_two_of_a_network_are_kept(tmp_path: Path, cache: Path, build: Builder) -> None:
    for version in ("1", "2", "3"):
        engine_from_cache(REQUEST.model_copy(update={"version": version}), build, tmp_path / version, cache)
    kept = {read_record(entry / "model.engine").version for entry in cache.glob("*/*")}
    assert kept == {"2", "3"}


def test_a_cache_that_cannot_be_written_is_a_warning(
    tmp_path: Path, cache: Path, build: Builder, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_text("a file where the folder should be")
    assert whole(engine_from_cache(REQUEST, build, tmp_path / "a", cache)) == b"engine 1"
    assert "the engine is not cached" in caplog.text


def test_a_model_named_like_a_path_stays_below_the_cache(tmp_path: Path, cache: Path, build: Builder) -> None:
    engine_from_cache(REQUEST.model_copy(update={"model": "../../x"}), build, tmp_path / "a", cache)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "cache"}


def test_the_variable_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITE_VTON_ENGINE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("LITE_VTON_ENGINE_CACHE", "off")
    assert cache_folder() is None
    monkeypatch.delenv("LITE_VTON_ENGINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = cache_folder()
    assert found is not None
    assert found.parts[-2:] == ("lite-vton", "engines")


def _build_many(start: object, cache: Path, target: Path, damaged: bool) -> None:
    start.wait()  # type: ignore[attr-defined]  # a barrier; its class has no public name
    for turn in range(30):
        engine = engine_from_cache(REQUEST, lambda: memoryview(b"engine" * 1000), target / str(turn), cache)
        assert whole(engine) == b"engine" * 1000
        if damaged:
            # Cut short where it lies: opening it to write would make it anew in a folder that is just being removed.
            for engine in cache.glob("*/*/model.engine"):
                with suppress(FileNotFoundError), engine.open("r+b") as file:
                    file.truncate(3)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True], ids=["at once", "while a third spoils them"])
def test_processes_that_build_the_same_engine_all_get_a_whole_one(tmp_path: Path, cache: Path, damaged: bool) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    processes = [
        context.Process(target=_build_many, args=(start, cache, tmp_path / str(index), damaged and index == 0))
        for index in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert not list(cache.glob("*/.lite-vton-*"))
    if not damaged:
        (entry,) = cache.glob("*/*")
        assert whole(entry / "model.engine") == b"engine" * 1000
