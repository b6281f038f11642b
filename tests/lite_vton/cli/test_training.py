from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lite_vton.cli import main
from lite_vton.workflows.weights import config_of

pytestmark = pytest.mark.slow

Refused = Callable[..., str]
SHORT = ("--steps", "2", "--batch-size", "2")


def train(model: str, data: Path, output: Path, *more: object) -> int:
    return main(["train", model, "--data", str(data), "-o", str(output), *SHORT, *map(str, more)])


@pytest.fixture(scope="session")
def teacher(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tiny teacher."""
    output = tmp_path_factory.mktemp("runs") / "teacher"
    assert train("tiny-teacher", dataset, output) == 0
    return output


def test_a_student_is_distilled_on_its_teachers_autoencoder(
    teacher: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    student = tmp_path / "student"
    words = ["distill", "tiny", "--teacher", str(teacher), "--data", str(dataset), "-o", str(student), *SHORT]
    assert main(words) == 0
    assert f"next: lite-vton export {student}" in capfd.readouterr().out
    given, kept = load_file(teacher / "autoencoder.safetensors"), load_file(student / "autoencoder.safetensors")
    assert all(np.array_equal(given[name], kept[name]) for name in given)

    assert main(["eval", str(student), "--data", str(dataset), "--pairs", "1", "--steps", "1", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert [row["what"] for row in rows] == [
        f"{student} (torch-fp32)",
        "pasted warp, no network",
        "pasted warp, inpainted",
        "pasted warp, Poisson",
        "autoencoder alone, the ceiling",
    ]
    assert all(0 < row["psnr_in_mask"] < 60 and -1 <= row["ssim"] <= 1 for row in rows)


def distilled(teacher: Path, data: Path, output: Path, *more: object) -> int:
    words = ["distill", "tiny", "--teacher", str(teacher), "--data", str(data), "-o", str(output), *SHORT]
    return main([*words, *map(str, more)])


def test_a_student_is_aligned_with_pictures_and_similarities_on_the_way(
    teacher: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    student = tmp_path / "student"
    options = ("--distill", "caad", "--feature-weight", 0.5, "--similarity-every", 1, "--sample-every", 2)
    assert distilled(teacher, dataset, student, *options, "--gradient-checkpointing", "--accumulation", 2) == 0
    assert "first weights are its teacher's" in capfd.readouterr().out
    header = (student / "unet/log.csv").read_text().splitlines()[0]
    taps = ("down0", "down1", "up1", "up0")
    logged = [f"{what}.{tap}" for what in ("cka", "attention") for tap in taps]
    assert header == ",".join(["step", "noise", "output", "feature", *logged])
    assert [file.name for file in (student / "samples").iterdir()] == ["step-000002.png"]
    config = json.loads((student / "unet/config.json").read_text())
    assert (config["distill"], config["losses"]["feature"], config["accumulation"]) == ("caad", 0.5, 2)
    assert not any("alignment" in name for name in load_file(student / "unet.safetensors"))


def test_a_student_can_start_at_random(
    teacher: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert distilled(teacher, dataset, tmp_path / "student", "--init", "random") == 0
    assert "first weights" not in capfd.readouterr().out
    assert json.loads((tmp_path / "student/unet/config.json").read_text())["start"] == "random"


def test_a_student_that_cannot_be_cut_out_of_its_teacher_starts_at_random_unless_told_otherwise(
    dataset: Path, tmp_path: Path, refused: Refused, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("distill", "tiny-teacher", "--teacher", "tiny", "--data", dataset, *SHORT)
    assert "start at random" in refused(*words, "-o", tmp_path / "slim", "--init", "slim")
    assert main([*map(str, words), "-o", str(tmp_path / "run")]) == 0
    assert "first weights are random" in capfd.readouterr().out


def test_an_autoencoder_can_be_kept(teacher: Path, dataset: Path, tmp_path: Path) -> None:
    file = teacher / "autoencoder.safetensors"
    assert train("tiny", dataset, tmp_path / "run", "--autoencoder", file) == 0
    given, kept = load_file(file), load_file(tmp_path / "run/autoencoder.safetensors")
    assert all(np.array_equal(given[name], kept[name]) for name in given)
    assert not (tmp_path / "run/autoencoder").exists()


def weights(run: Path) -> dict[str, np.ndarray]:
    return {
        f"{part}.{n}": w for part in ("autoencoder", "unet") for n, w in load_file(run / f"{part}.safetensors").items()
    }


def test_a_run_from_shards_ends_with_the_weights_of_one_from_memory(
    teacher: Path, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    shards, run = tmp_path / "shards", tmp_path / "run"
    assert train("tiny-teacher", dataset, run, "--shards", shards, "--sample-every", 2) == 0
    wanted, found = weights(teacher), weights(run)
    assert all(np.array_equal(wanted[name], found[name]) for name in wanted)

    # The student's are its teacher's: nothing is encoded again.
    (made,) = shards.glob("*.safetensors")
    before = made.stat().st_mtime_ns
    assert distilled(run, dataset, tmp_path / "student", "--shards", shards) == 0
    assert distilled(run, dataset, tmp_path / "usual") == 0
    assert made.stat().st_mtime_ns == before
    wanted, found = weights(tmp_path / "usual"), weights(tmp_path / "student")
    assert all(np.array_equal(wanted[name], found[name]) for name in wanted)

    made.write_bytes(made.read_bytes()[:-1])
    words = ("distill", "tiny", "--teacher", run, "--init", "random", "--data", dataset, "--shards", shards)
    said = refused(*words, "-o", tmp_path / "refused")
    assert made.name in said
    assert "delete it" in said


def test_two_processes_encode_and_train_what_one_does(teacher: Path, dataset: Path, tmp_path: Path) -> None:
    words = ["distill", "tiny", "--teacher", str(teacher), "--data", str(dataset), *SHORT]
    words_of_two = [*words, "-o", str(tmp_path / "two"), "--shards", str(tmp_path / "shards")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What torchrun tells the processes it starts.
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    world |= {"ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "lite_vton.cli", *words_of_two],
            env=os.environ | world | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=600) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    assert main([*words, "-o", str(tmp_path / "one")]) == 0
    wanted, found = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(np.allclose(wanted[name], found[name], atol=1e-5) for name in wanted)
    logs = [np.genfromtxt(tmp_path / run / "unet/log.csv", delimiter=",", skip_header=1) for run in ("one", "two")]
    np.testing.assert_allclose(*logs, rtol=1e-3)


def test_broken_pictures_are_named_and_refused_or_skipped(
    teacher: Path, dataset: Path, tmp_path: Path, refused: Refused, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "data"
    shutil.copytree(dataset, broken)
    (broken / "train/image/00001_00.jpg").write_bytes(b"no picture")
    words = ("train", "tiny-teacher", "--data", broken, "--autoencoder", teacher / "autoencoder.safetensors")
    assert "00001_00.jpg" in refused(*words, "-o", tmp_path / "refused")
    assert train(words[1], broken, tmp_path / "run", *words[4:], "--skip-broken", "--shards", tmp_path / "shards") == 0
    assert "skipped 00001_00.jpg with " in capfd.readouterr().out
    assert json.loads((tmp_path / "shards/shards.json").read_text())["pairs"] == 3


def test_a_training_goes_on_from_another_runs_networks(teacher: Path, dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train("tiny-teacher", dataset, run, "--start", teacher, "--learning-rate", 0) == 0
    wanted, found = weights(teacher), weights(run)
    assert all(np.allclose(wanted[name], found[name], atol=1e-6) for name in wanted)
    assert not (run / "autoencoder").exists()
    assert json.loads((run / "unet/config.json").read_text())["start"] == "given"


def test_a_start_that_does_not_fit_is_refused(teacher: Path, dataset: Path, tmp_path: Path, refused: Refused) -> None:
    words = ("--data", dataset, "-o", tmp_path / "run", "--start", teacher)
    assert "lite-vton distill" in refused("train", "tiny", *words)
    assert "leave out --pose, --no-pose" in refused("train", "tiny-teacher", *words, "--no-pose")
    given = teacher / "autoencoder.safetensors"
    assert "leave out --autoencoder" in refused("train", "tiny-teacher", *words, "--autoencoder", given)
    assert "leave out --image-encoder" in refused("train", "tiny-teacher", *words, "--image-encoder", teacher)


def test_a_run_is_not_trained_over(teacher: Path, dataset: Path, refused: Refused) -> None:
    assert "--resume" in refused("train", "tiny-teacher", "--data", dataset, "-o", teacher)


def test_a_run_is_not_resumed_with_other_settings(teacher: Path, dataset: Path, refused: Refused) -> None:
    words = ["train", "tiny-teacher", "--data", dataset, "-o", teacher, "--resume", *SHORT]
    assert "begun with other settings" in refused(*words, "--batch-size", "1")
    assert "made longer but not shorter" in refused(*words, "--steps", "1")


def test_a_run_is_made_longer_and_a_finished_one_ends_at_once(
    teacher: Path, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    run = Path(shutil.copytree(teacher, tmp_path / "run"))
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    assert train("tiny-teacher", dataset, run, "--resume") == 0
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before

    assert train("tiny-teacher", dataset, run, "--resume", "--steps", "4") == 0
    steps = [(run / f"{part}/checkpoint/step.txt").read_text() for part in ("autoencoder", "unet")]
    assert steps == ["2", "4"], "the U-Net was begun on that autoencoder's latents"
    assert len((run / "unet/log.csv").read_text().splitlines()) == 5
    assert (run / "autoencoder.safetensors").read_bytes() == (teacher / "autoencoder.safetensors").read_bytes()
    assert (run / "unet.safetensors").read_bytes() != (teacher / "unet.safetensors").read_bytes()

    other = tmp_path / "data"
    shutil.copytree(dataset, other)
    lines = (other / "train_pairs.txt").read_text().splitlines()
    (other / "train_pairs.txt").write_text("\n".join(reversed(lines)) + "\n")
    words = ("train", "tiny-teacher", "--data", other, "-o", run, "--resume", *SHORT, "--steps", "4")
    assert "begun with other settings (pairs " in refused(*words)


def test_a_run_with_any_file_damaged_is_one_line_to_every_verb_that_reads_it(
    teacher: Path, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    run = Path(shutil.copytree(teacher, tmp_path / "run"))
    files = [file for file in (*run.glob("*"), *sorted((run / "unet").rglob("*"))) if file.is_file()]
    longer = ("train", "tiny-teacher", "--data", dataset, "-o", run, "--resume", *SHORT, "--steps", "3")
    readers = [
        ("distill", "tiny", "--teacher", run, "--data", dataset, "-o", tmp_path / "student", *SHORT),
        ("export", run, "-o", tmp_path / "bundle"),
        ("eval", run),
    ]
    damages = (lambda own: own[: len(own) // 2], lambda _: b"", lambda own: own[::-1], lambda _: b"[" * 9999)
    for index, file in enumerate(files):
        own = file.read_bytes()
        is_finished = file.parent == run and file.suffix == ".safetensors"
        for damage, words in zip(damages[index % 2 :], readers if is_finished else [longer], strict=False):
            file.write_bytes(damage(own))
            assert file.name in refused(*words) or file.parent.name == "checkpoint", (file, words)
        file.write_bytes(own)


def test_finished_weights_are_not_trained_over(teacher: Path, dataset: Path, tmp_path: Path, refused: Refused) -> None:
    imported = tmp_path / "imported"
    imported.mkdir()
    for name in ("autoencoder.safetensors", "unet.safetensors"):
        shutil.copyfile(teacher / name, imported / name)
    said = refused("train", "tiny-teacher", "--data", dataset, "-o", imported, "--resume", *SHORT)
    assert "holds finished weights and no training to go on with" in said


def test_a_folder_that_is_no_run_is_not_trained_in(dataset: Path, tmp_path: Path, refused: Refused) -> None:
    pipeline = tmp_path / "pipeline"
    (pipeline / "autoencoder").mkdir(parents=True)
    (pipeline / "autoencoder/config.json").write_text('{"_class_name": "AutoencoderTiny"}')
    said = refused("train", "tiny-teacher", "--data", dataset, "-o", pipeline, "--resume", *SHORT)
    assert "autoencoder/config.json is not a training run's" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "tinny"], "did you mean 'tiny'?"),
        (["distill", "tiny", "--teacher", "demo-techer"], "did you mean 'demo-teacher'?"),
        (["distill", "tiny", "--teacher", "tiny-teacher", "--distill", "outptu"], "did you mean 'output'?"),
        (["distill", "tiny", "--teacher", "tiny-teacher", "--init", "slimm"], "did you mean 'slim'?"),
        (["train", "tiny", "--autoencoder", "nothing.safetensors"], "no autoencoder at"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    words: list[str], said: str, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    assert said in refused(*words, "--data", dataset, "-o", tmp_path / "run")


def test_data_that_is_not_there_is_refused(tmp_path: Path, refused: Refused) -> None:
    assert "no dataset at" in refused("train", "tiny", "--data", tmp_path / "nothing", "-o", tmp_path / "run")
    assert "no dataset at" in refused("eval", "tiny", "--data", tmp_path / "nothing")


def test_an_interrupted_run_can_be_resumed(
    dataset: Path, tmp_path: Path, interrupted: Callable[..., tuple[int, str]]
) -> None:
    output = tmp_path / "run"
    words = ["train", "tiny", "--data", str(dataset), "-o", str(output), "--steps", "100", "--batch-size", "1"]
    code, err = interrupted(*words, ready=(output / "autoencoder/checkpoint/step.txt").is_file)
    assert code == 130
    assert err.count("\n") == 1, err
    assert "--resume" in err
    assert int((output / "autoencoder/checkpoint/step.txt").read_text()) < 100
    assert main([*words, "--resume"]) == 0
    assert (output / "unet.safetensors").is_file()


def test_drawing_a_dataset(tmp_path: Path, refused: Refused, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "drawn"
    words = ["data", "synthesize", "-o", str(folder), "--pairs", "2", "--workers", "1"]
    assert main([*words, "--height", "64", "--width", "48"]) == 0
    assert f"wrote {folder}" in capfd.readouterr().out
    assert len(list((folder / "train/image").iterdir())) == 2
    assert "is not empty" in refused(*words)
    assert "multiples of 8" in refused("data", "synthesize", "-o", tmp_path / "other", "--height", "65")


@pytest.mark.parametrize("way", ["trajectory", "consistency", "progressive"])
def test_a_trained_model_is_taught_to_sample_in_few_steps(
    way: str, teacher: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["few-steps", "tiny-teacher", "--teacher", str(teacher), "--data", str(dataset), *SHORT]
    fast = tmp_path / "fast"
    assert main([*words, "-o", str(fast), "--counts", "1,2", "--method", way]) == 0
    before, after = load_file(teacher / "unet.safetensors"), load_file(fast / "unet.safetensors")
    assert any(not np.array_equal(before[name], after[name]) for name in before)
    capfd.readouterr()
    assert main(["export", str(fast), "--dry-run", "-o", str(tmp_path / "bundle")]) == 0
    assert config_of(str(fast)).default_steps == (1 if way == "progressive" else 2)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--counts", "many"), "no numbers of steps in 'many'"),
        (("--counts", "4", "--method", "progresive"), "progressive"),
        (("--counts", "4", "--no-pose"), "No such option: --no-pose"),
        (("--counts", "601"), "cannot sample in 601 steps"),
    ],
)
def test_few_steps_that_cannot_be_taught_are_refused(
    words: tuple[str, ...], complaint: str, teacher: Path, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    common = ["few-steps", "tiny-teacher", "--teacher", str(teacher), "--data", str(dataset), "-o", str(tmp_path / "x")]
    assert complaint in refused(*common, *SHORT, *words)


def test_steps_are_not_distilled_along_with_width(
    teacher: Path, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    words = ["few-steps", "tiny", "--teacher", str(teacher), "--data", str(dataset), "-o", str(tmp_path / "x")]
    assert "distil a tiny first" in refused(*words, *SHORT, "--counts", "2")
