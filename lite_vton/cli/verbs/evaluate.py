"""`lite-vton eval`: how good the try-ons are."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.atomic import whole_folder, write_text
from lite_vton.cli.options.datasets import DressCodeCategory, JudgedPairs, SkipBroken, TestData
from lite_vton.cli.options.judging import InceptionWeights, LpipsWeights, Results, ResultsHeight, ResultsWidth, Unpaired
from lite_vton.cli.options.models import JudgedModel, Mask
from lite_vton.cli.options.output import Json, Overwrite, PairsSheet, SavePictures, ScoresFolder
from lite_vton.cli.options.sampling import Detail, Sampler, Seed, Steps
from lite_vton.cli.outputs import claim_filled_folder
from lite_vton.cli.screen import Watch, print_json, print_table
from lite_vton.errors import UserError
from lite_vton.messages.commands import command
from lite_vton.presets.conditioning import as_mask
from lite_vton.workflows.dress.sampling import check_sampling
from lite_vton.workflows.evaluate.model import KEYS, Sampling, TestPairs, judge
from lite_vton.workflows.evaluate.report import as_json, as_markdown, as_table, rows_as_json
from lite_vton.workflows.evaluate.results import judge_results
from lite_vton.workflows.extras import require
from lite_vton.workflows.weights import is_bundle, model_config

if TYPE_CHECKING:
    from lite_vton.data.sample import TryOnSample
    from lite_vton.workflows.dress.side_by_side import SideBySide
    from lite_vton.workflows.evaluate.model import TakePicture
    from lite_vton.workflows.evaluate.report import Judgement
    from lite_vton_training.metrics import Picture

__all__ = ["evaluate"]


def evaluate(
    model: JudgedModel = None,
    results: Results = None,
    data: TestData = None,
    category: DressCodeCategory = None,
    mask: Mask = None,
    pairs: JudgedPairs = None,
    unpaired: Unpaired = False,
    lpips_weights: LpipsWeights = None,
    inception_weights: InceptionWeights = None,
    skip_broken: SkipBroken = False,
    height: ResultsHeight = None,
    width: ResultsWidth = None,
    output: ScoresFolder = None,
    save_pictures: SavePictures = False,
    sheet: PairsSheet = False,
    overwrite: Overwrite = False,
    steps: Steps = None,
    sampler: Sampler = None,
    seed: Seed = 0,
    detail: Detail = True,
    as_json: Json = False,
) -> None:
    """Score a model, or a folder of results, on test pairs.

    PSNR, SSIM, HaarPSI, LPIPS, FID and KID: of the model, its teacher, the pasted warp, and the autoencoder alone.
    """
    if output is not None:
        claim_filled_folder(output)
    from lite_vton.workflows.dress.side_by_side import SideBySide

    if (model is None) == (results is None):
        raise UserError("name a model to judge, or a folder of results with --results (one of the two)")
    if results is not None and data is None:
        raise UserError("--results needs --data: the dataset whose people the pictures show")
    if (height is None) != (width is None) or (height is not None and results is None):
        raise UserError("--height and --width go together and with --results; a model has its own size")
    if save_pictures and (output is None or model is None):
        raise UserError("--save-pictures needs a model and --output: the pictures go to OUTPUT/pictures")
    if sheet and (output is None or model is None):
        raise UserError("--sheet needs a model and --output: it goes to OUTPUT/side-by-side.jpg")
    if output is not None and not overwrite and (output / "eval.json").exists():
        raise UserError(f"{output / 'eval.json'} is there already: name another folder, or add --overwrite")

    require("eval")
    if data is None:
        require("eval on drawn pairs")
    for folder in (data, results):
        if folder is not None and not folder.is_dir():
            raise UserError(f"no {'dataset' if folder is data else 'results'} at {folder}: name the folder")
    for file in (lpips_weights, inception_weights):
        if file is not None and not file.is_file():
            raise UserError(f"no weights at {file}: check its name")
    kind = None if mask is None else as_mask(mask)
    if model is not None:
        check_sampling(model_config(model).schedule, sampler, steps)
    from lite_vton_training.metrics import find_backbones

    watch = Watch()
    wanted = TestPairs(data, pairs, not unpaired, category, skip_broken, kind)
    backbones = find_backbones(lpips_weights, inception_weights)
    shown = SideBySide()
    if unpaired and backbones.inception is None:
        raise UserError(f"unpaired try-ons are judged by FID and KID alone, and that {backbones.left_out[-1].why}")
    if results is not None:
        size = None if height is None or width is None else (height, width)
        judgement = judge_results(results, wanted, backbones, size)
    else:
        assert model is not None
        takers: list[TakePicture] = [shown.add] if sheet else []
        with ExitStack() as pictures:
            if save_pictures and output is not None:
                folder = pictures.enter_context(whole_folder(output / "pictures", _are_pictures))
                takers.append(_saver(folder, not unpaired))
            judgement = judge(model, wanted, Sampling(steps, sampler, seed, detail), backbones, takers)
    written = [] if output is None else _written(judgement, output, shown if sheet else None)
    if as_json:
        print_json(rows_as_json(judgement))
        _say_left_out(judgement)
        return
    _show(judgement, drawn=data is None)
    bundled = model is None or is_bundle(model)
    watch.wrote(written, None if bundled or model is None else command("export", model, "-o", "bundle"))


def _show(judgement: Judgement, drawn: bool) -> None:
    print_table(*as_table(judgement))
    kind = "the person's own garment" if judgement.paired else "another one's garment"
    print(f"{judgement.pairs} {'held-out drawn' if drawn else 'test'} pairs, {kind}")
    sys.stdout.flush()
    _say_left_out(judgement)


def _say_left_out(judgement: Judgement) -> None:
    """On stderr: JSON on stdout stays JSON."""
    for left_out in judgement.left_out:
        print(f"{left_out.metrics} left out: {left_out.why}", file=sys.stderr)
    for source in judgement.sources:
        if not source.published:
            print(f"{source.metrics}: {source.file} is not the published file; do not compare", file=sys.stderr)
    for fault in judgement.skipped:
        print(f"skipped {fault}", file=sys.stderr)


def _written(judgement: Judgement, output: Path, shown: SideBySide | None) -> list[Path]:
    from lite_vton.photo.files import save_photo

    output.mkdir(parents=True, exist_ok=True)
    files = {
        output / "eval.json": json.dumps(as_json(judgement), indent=2, ensure_ascii=False) + "\n",
        output / "eval.md": as_markdown(judgement),
    }
    for file, text in files.items():
        write_text(file, text)
    written = list(files)
    if shown is not None:
        written.append(output / "side-by-side.jpg")
        save_photo(written[-1], shown.sheet())
    pictures = output / "pictures"
    return [*written, *([pictures] if pictures.is_dir() else [])]


def _are_pictures(folder: Path) -> bool:
    """Whether `_saver` wrote what is in `folder`."""
    return all(
        way.name in KEYS and way.is_dir() and all(file.suffix == ".png" for file in way.iterdir())
        for way in folder.iterdir()
    )


def _saver(folder: Path, paired: bool) -> TakePicture:
    """Files named as `--results` looks for them."""
    from lite_vton.photo.files import save_photo

    def save(key: str, sample: TryOnSample, picture: Picture) -> None:
        person, cloth = Path(sample.name).stem, Path(sample.cloth_name).stem
        (folder / key).mkdir(parents=True, exist_ok=True)
        save_photo(folder / key / f"{person if paired else f'{person}_{cloth}'}.png", picture)

    return save
