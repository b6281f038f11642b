from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.cli import main

pytestmark = pytest.mark.slow

Refused = Callable[..., str]
Options = Callable[..., list[str]]


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def test_a_dressed_photo_keeps_its_size_and_every_pixel_outside_the_mask(
    bundle: Path, options: Options, photos: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from lite_vton.mask.agnostic import agnostic_mask
    from lite_vton.person.framing import torso_crop
    from lite_vton.person.keypoints import read_keypoints
    from lite_vton.photo.crop import paste_mask

    result = tmp_path / "result.png"
    assert main(["run", str(bundle), *options(), "-o", str(result), "--steps", "2"]) == 0
    shown = capfd.readouterr().out
    assert "192x256" in shown
    assert "random weights" in shown
    assert f"wrote {result}" in shown
    assert "next: lite-vton" in shown

    before, after = pixels(photos["person"]), pixels(result)
    keypoints = read_keypoints(photos["keypoints"])
    crop = torso_crop(keypoints, 256, 192)
    mask = paste_mask(agnostic_mask(keypoints.moved(crop, 64, 48), 64, 48), crop, 256, 192)
    assert np.array_equal(after[mask == 0], before[mask == 0])
    assert (after[mask > 0.9] != before[mask > 0.9]).any()


def test_trousers_are_put_on_below_the_waist(bundle: Path, tmp_path: Path) -> None:
    from lite_vton.person.keypoints import write_keypoints
    from tests.lite_vton.garment.flat_lowers import standing, trousers

    garment, mask = trousers(320)
    person = np.random.default_rng(0).integers(0, 256, (400, 192, 3), dtype=np.uint8)
    shown = np.where(mask[..., None] > 0, garment, 255).astype(np.uint8)
    files = {name: tmp_path / f"{name}.png" for name in ("person", "garment", "result")}
    Image.fromarray(person).save(files["person"])
    Image.fromarray(shown).save(files["garment"])
    write_keypoints(tmp_path / "pose.json", standing())
    given = ["--person", files["person"], "--garment", files["garment"], "--keypoints", tmp_path / "pose.json"]
    words = ["run", bundle, *given, "-o", files["result"], "--category", "lower", "--steps", "2"]
    assert main([str(word) for word in words]) == 0
    changed = (pixels(files["result"]) != person).any(axis=2)
    assert changed[200:300, 80:112].mean() > 0.9
    assert not changed[:140].any()


def test_a_photo_without_knees_takes_no_trousers(
    bundle: Path, options: Options, refused: Refused, tmp_path: Path
) -> None:
    said = refused("run", bundle, *options(), "-o", tmp_path / "out.png", "--category", "lower")
    assert "no knees" in said
    assert "photo from the waist to below the knees" in said


def test_the_same_seed_gives_the_same_picture_on_both_backends(bundle: Path, options: Options, tmp_path: Path) -> None:
    made = []
    for backend in ("onnxruntime", "torch"):
        path = tmp_path / f"{backend}.png"
        words = ["run", str(bundle), *options(), "-o", str(path), "--backend", backend, "--seed", "7"]
        assert main([*words, "--steps", "2"]) == 0
        made.append(pixels(path).astype(int))
    assert np.abs(made[0] - made[1]).max() <= 1


def test_detail_can_be_declined(
    bundle: Path, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_vton.tryon.detail.AGREEMENT", 5.0)  # random weights agree with no garment otherwise
    made = []
    for word in ("--detail", "--no-detail"):
        path = tmp_path / f"{word}.png"
        assert main(["run", str(bundle), *options(), "-o", str(path), "--steps", "2", word]) == 0
        made.append(pixels(path))
    assert (made[0] != made[1]).any()


def test_it_needs_no_torch_and_little_memory(bundle: Path, options: Options, tmp_path: Path) -> None:
    words = ["run", str(bundle), *options(), "-o", str(tmp_path / "result.png")]
    code = (
        "import json, sys\nfrom lite_vton.cli import main\n"
        "from lite_vton_runtimes.benchmark.peak_memory import peak_rss_bytes\n"
        f"code = main({words!r})\n"
        "tables = {'', '.formats', '.options', '.precision', '.precision.rules'}\n"
        "loaded = {name for name in sys.modules if name.startswith('lite_vton_export')}\n"
        "loaded -= {f'lite_vton_export{table}' for table in tables}\n"
        "heavy = {'torch', 'diffusers', 'onnx', 'matplotlib'} & set(sys.modules) | loaded\n"
        "print(json.dumps({'code': code, 'heavy': sorted(heavy), 'peak': peak_rss_bytes()}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["code"] == 0
    assert said["heavy"] == []
    assert said["peak"] < 600e6


def test_every_picture_on_the_way_can_be_saved(bundle: Path, options: Options, tmp_path: Path) -> None:
    words = ["run", str(bundle), *options(), "-o", str(tmp_path / "result.png")]
    assert main([*words, "--save-steps", str(tmp_path / "steps"), "--steps", "3"]) == 0
    shapes = {path.stem: pixels(path).shape for path in (tmp_path / "steps").iterdir()}
    assert shapes.pop("garment") == (224, 224, 3)
    assert min(shapes.pop("landmarks")[:2]) > 64
    assert set(shapes.values()) == {(64, 48, 3)}
    steps = sorted(name for name in shapes if name.startswith("step-"))
    assert [name[:8] for name in steps] == ["step-000", "step-001", "step-002"]
    assert set(shapes) - set(steps) == {"person", "pose", "mask", "warp", "masked-person", "result"}


def test_two_photos_are_enough(bundle: Path, photos: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")
    words = ["run", str(bundle), "--person", str(photos["person"]), "--garment", str(photos["garment"])]
    out = tmp_path / "result.png"
    assert main([*words, "-o", str(out), "--steps", "1", "--save-steps", str(tmp_path / "steps")]) == 0
    before, after = pixels(photos["person"]), pixels(out)
    assert after.shape == before.shape
    assert (after != before).any()
    assert pixels(tmp_path / "steps/silhouette.png").mean() > 20


def test_a_photo_without_anybody_is_refused_in_a_line(
    bundle: Path, photos: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    pytest.importorskip("mediapipe", reason="needs lite-vton[photos]")
    Image.new("RGB", (300, 400), "grey").save(tmp_path / "wall.jpg")
    out = tmp_path / "result.png"
    words = ["run", bundle, "--person", tmp_path / "wall.jpg", "--garment", photos["garment"], "-o", out]
    assert "nobody is found" in refused(*words)
    assert not out.exists()


def test_an_existing_file_is_kept_unless_told_otherwise(
    bundle: Path, options: Options, tmp_path: Path, refused: Refused
) -> None:
    result = tmp_path / "result.png"
    result.write_bytes(b"precious")
    words = ["run", bundle, *options(), "-o", result, "--steps", "1"]
    assert "--overwrite" in refused(*words)
    assert result.read_bytes() == b"precious"
    assert main([*map(str, words), "--overwrite"]) == 0
    assert pixels(result).shape == (256, 192, 3)


def _cmyk(source: Image.Image, path: Path) -> Path:
    source.convert("CMYK").save(path.with_suffix(".jpg"))
    return path.with_suffix(".jpg")


def _sixteen_bit(source: Image.Image, path: Path) -> Path:
    grey = np.array(source.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def _palette(source: Image.Image, path: Path) -> Path:
    source.convert("P", palette=Image.Palette.ADAPTIVE).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def _transparent(source: Image.Image, path: Path) -> Path:
    source.putalpha(200)
    source.save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def _rotated_by_exif(source: Image.Image, path: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    source.rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=exif, quality=95)
    return path.with_suffix(".jpg")


@pytest.mark.parametrize("write", [_cmyk, _sixteen_bit, _palette, _transparent, _rotated_by_exif])
def test_photos_of_any_kind_are_taken(
    write: Callable[[Image.Image, Path], Path], bundle: Path, options: Options, photos: dict[str, Path], tmp_path: Path
) -> None:
    with Image.open(photos["person"]) as source:
        person = write(source.copy(), tmp_path / "person")
    words = ["run", str(bundle), *options(person=person), "-o", str(tmp_path / "result.png"), "--steps", "1"]
    assert main(words) == 0
    assert pixels(tmp_path / "result.png").shape == (256, 192, 3)


def _missing(_: Path, path: Path) -> None:
    path.with_name("nothing").unlink(missing_ok=True)


def _empty(_: Path, path: Path) -> None:
    path.touch()


def _truncated(source: Path, path: Path) -> None:
    content = source.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _text(_: Path, path: Path) -> None:
    path.write_text("no picture at all")


def _one_pixel(_: Path, path: Path) -> None:
    Image.new("RGB", (1, 1)).save(path, "PNG")


def _hundred_megapixels(_: Path, path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(path, "PNG")


BAD_PHOTOS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "missing": (_missing, "No such file"),
    "empty": (_empty, "is empty"),
    "truncated": (_truncated, "is damaged"),
    "text": (_text, "is not an image"),
    "1x1": (_one_pixel, "at least 64 pixels"),
    "100 megapixels": (_hundred_megapixels, "megapixels"),
}


@pytest.mark.parametrize("kind", BAD_PHOTOS)
@pytest.mark.parametrize("which", ["person", "garment"])
def test_a_photo_that_will_not_do_is_refused(
    which: str, kind: str, bundle: Path, options: Options, photos: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    spoil, said = BAD_PHOTOS[kind]
    path = tmp_path / "photo.jpg"
    spoil(photos["person"], path)
    assert said in refused("run", bundle, *options(**{which: path}), "-o", tmp_path / "result.png")


@pytest.mark.parametrize("which", ["person", "garment"])
def test_a_photo_is_not_replaced_by_its_own_result(
    which: str, bundle: Path, options: Options, photos: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    photo = Path(shutil.copy(photos[which], tmp_path / "photo.jpg"))
    (tmp_path / "linked.jpg").hardlink_to(photo)
    for output in (photo, tmp_path / "linked.jpg"):
        words = ("run", bundle, *options(**{which: photo}), "-o", output, "--overwrite")
        assert "is one of the files the picture is made from" in refused(*words)
    assert photo.read_bytes() == photos[which].read_bytes()


def without(*rows: int) -> Callable[[list[float]], list[float]]:
    return lambda values: [0.0 if index // 3 in rows else value for index, value in enumerate(values)]


BAD_KEYPOINTS: dict[str, tuple[Callable[[list[float]], list[float]], str]] = {
    "no shoulders": (without(2, 5), "show no shoulders"),
    "no hips": (without(9, 12), "show no hips"),
    "outside": (lambda values: [v + 5000 if i % 3 < 2 else v for i, v in enumerate(values)], "outside"),
    "too few": (lambda values: values[:30], "BODY_25 has 75"),
}


@pytest.mark.parametrize("kind", BAD_KEYPOINTS)
def test_keypoints_that_will_not_do_are_refused(
    kind: str, bundle: Path, options: Options, photos: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    spoil, said = BAD_KEYPOINTS[kind]
    pose = json.loads(photos["keypoints"].read_text(encoding="utf-8"))
    pose["people"][0]["pose_keypoints_2d"] = spoil(pose["people"][0]["pose_keypoints_2d"])
    path = tmp_path / "keypoints.json"
    path.write_text(json.dumps(pose), encoding="utf-8")
    assert said in refused("run", bundle, *options(keypoints=path), "-o", tmp_path / "result.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backend", "onnxruntim"], "did you mean 'onnxruntime'?"),
        (["--precision", "fp61"], "did you mean 'fp16'?"),
        (["--backend", "torch", "--precision", "fp16"], "unknown precision of torch"),
        (["--backend", "torch", "--provider", "CPUExecutionProvider"], "leave it out"),
        (["--provider", "cuda"], "no provider 'cuda' in this ONNX Runtime"),
        (["--provider", "kuda"], "did you mean 'cuda'"),
        (["--sampler", "dim"], "did you mean 'ddim'?"),
        (["--steps", "0"], "cannot sample in 0 steps"),
        (["--steps", "601"], "choose from 1 to 600"),
        (["--category", "shoes"], "unknown garment category"),
        (["--person-index", "3"], "no person 3"),
    ],
)
def test_options_that_will_not_do_are_refused(
    words: list[str], said: str, bundle: Path, options: Options, tmp_path: Path, refused: Refused
) -> None:
    assert said in refused("run", bundle, *options(), "-o", tmp_path / "result.png", *words)


def test_another_kind_of_picture_file_is_refused(
    bundle: Path, options: Options, tmp_path: Path, refused: Refused
) -> None:
    assert ".png, .jpg, .jpeg or .webp" in refused(
        "run", bundle, *options(), "-o", tmp_path / "result.gif", "--steps", "1"
    )


def test_a_full_disk_is_one_line_and_leaves_nothing(
    bundle: Path,
    options: Options,
    tmp_path: Path,
    started: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = started("run", bundle, *options(), "-o", tmp_path / "result.png", "--steps", "1", before=fill)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert "cannot save" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_masks_and_keypoints_of_something_else_are_refused_and_painted_transparency_is_read(
    bundle: Path, options: Options, refused: Refused, photos: dict[str, Path], tmp_path: Path
) -> None:
    from lite_vton.person.keypoints import Keypoints, read_keypoints, write_keypoints

    keypoints = read_keypoints(photos["keypoints"])
    made = tmp_path / "made"
    made.mkdir()
    for name, scale in (("share.json", np.array([1 / 192, 1 / 256])), ("fourfold.json", 4.0)):
        write_keypoints(made / name, Keypoints((keypoints.points * scale).astype(np.float32), keypoints.confidence))
    given = np.asarray(Image.open(photos["person"].parents[1] / "agnostic-mask/00000_00_mask.png").convert("L"))
    Image.fromarray(255 - given).save(made / "inverted.png")
    painted = Image.new("RGBA", given.shape[::-1], "white")
    painted.putalpha(Image.fromarray(given))
    painted.save(made / "painted.png")
    cloth = np.asarray(Image.open(photos["garment-mask"]).convert("L"))
    Image.fromarray(255 - cloth).save(made / "cloth.png")

    output = ("-o", tmp_path / "out.png")
    assert "lie in 0..1" in refused("run", bundle, *options(keypoints=made / "share.json"), *output)
    assert "4 times as large" in refused("run", bundle, *options(keypoints=made / "fourfold.json"), *output)
    assert "looks inverted" in refused("run", bundle, *options(), "--mask", made / "inverted.png", *output)
    words = [*options(), "--garment-mask", made / "cloth.png"]
    assert "looks inverted" in refused("run", bundle, *words, *output)
    command = ["run", str(bundle), *options(), "--mask", str(made / "painted.png"), "-o", str(tmp_path / "out.png")]
    assert main([*command, "--steps", "1"]) == 0
