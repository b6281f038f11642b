"""Every photo of a folder of garments, cut out and marked, in several processes; an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lite_vton.atomic import whole_files
from lite_vton.bundle.reading import sha256_of
from lite_vton.data.conversion.journal import Journal
from lite_vton.data.conversion.outcome import DroppedError, Outcome
from lite_vton.data.conversion.pair_files import shop_picture
from lite_vton.data.conversion.run import Progress, tell
from lite_vton.data.dataset_folder import converted_folder
from lite_vton.data.garments.classes import CLASSES, HEMS, OTHER
from lite_vton.data.garments.cutting import cut_garment
from lite_vton.data.garments.files import GarmentFile, GarmentFolder, garment_files
from lite_vton.data.garments.quality import COMMON
from lite_vton.data.garments.report import Report, write_report
from lite_vton.data.garments.sheet import write_sheet
from lite_vton.data.layout import part_file
from lite_vton.data.processes import spawned
from lite_vton.errors import UserError
from lite_vton.garment.landmarks import find_marks
from lite_vton.person.mediapipe import installed
from lite_vton.photo.files import save_photo

__all__ = ["convert_garments"]

_SPLIT = "train"


def convert_garments(
    source: str | Path,
    folder: str | Path,
    *,
    height: int = 512,
    width: int = 384,
    worn: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Cut every garment in `source` out of its photo, into `folder`'s `train/cloth`, `cloth-mask`, `cloth-landmarks`.

    Pictures are (height, width), multiples of 8. `worn` keeps garments that somebody wears, laid flat. What cannot be
    trusted is dropped; `report.json` says why, `garments.csv` lists what is kept, `contact-sheet.jpg` shows it.
    The same photos give the same bytes whatever `workers` is. An interrupted run goes on where it stopped, and one that
    was complete takes in photos that are new or changed.
    `UserError` for a source without photos, sizes that make no sense, a folder that holds something else (unless
    `overwrite`) or lies in the source, and where no garment is kept.
    """
    source, folder = Path(source), Path(folder)
    _check(source, folder, height, width, workers)
    found = garment_files(source)
    settings = {
        "dataset": "garments",
        "height": height,
        "width": width,
        "worn": worn,
        "looks_for_people": installed(),
        "bounds": _bounds(),
    }
    with converted_folder(folder, overwrite) as working:
        work = _Conversion(working / _SPLIT, height, width, worn)
        return _convert_into(working, found, work, settings, workers, progress)


def _convert_into(
    folder: Path,
    found: GarmentFolder,
    work: _Conversion,
    settings: Mapping[str, Any],
    workers: int,
    progress: Progress | None,
) -> Report:
    journal = Journal(folder, settings)
    waiting = [file for file in found.files if not work.settled(file, journal.outcomes.get(file.source))]
    settled = {file.source for file in found.files} - {file.source for file in waiting}
    for source_name in journal.outcomes.keys() - settled:
        del journal.outcomes[source_name]
    tell(progress, journal)
    for outcome in spawned(work, waiting, min(workers, max(1, len(waiting)))):
        journal.add(outcome)
        tell(progress, journal)
    journal.close()
    report = Report.of(found, journal.outcomes)
    work.remove_others({file.name for file in report.kept})
    write_report(folder, settings, report)
    if not report.kept:
        raise UserError(f"none of {len(found.files)} garments can be used: {folder / 'report.json'} says why")
    write_sheet(folder / "contact-sheet.jpg", folder / _SPLIT, [file.name for file in report.kept])
    return report


@dataclass(frozen=True)
class _Conversion:
    """What a process has to know to convert a photo."""

    folder: Path
    height: int
    width: int
    worn: bool

    def __call__(self, file: GarmentFile) -> Outcome:
        try:
            digest = sha256_of(file.path)
        except OSError as error:
            return Outcome(name=file.source, reason="not a usable picture", detail=error.strerror or "cannot be read")
        kind = CLASSES.get(file.kind, OTHER)
        try:
            cut = cut_garment(file.path, kind, self.worn)
        except DroppedError as error:
            return Outcome(name=file.source, reason=error.reason, detail=str(error), sha256=digest)
        shop = shop_picture(cut.cutout, np.zeros(cut.cutout.mask.shape, bool), self.height, self.width)
        marks = find_marks((shop.mask > 0).astype(np.float32)).named()
        content = {
            "class": file.kind,
            "category": kind.category,
            "source": file.source,
            "sha256": digest,
            "height": self.height,
            "width": self.width,
            "landmarks": {name: (round(x, 2), round(y, 2)) for name, (x, y) in marks.items()},
        }
        with whole_files(self.folder.parent, file.name) as drafts:
            mask, landmarks, _ = _files(drafts / _SPLIT, file.name)
            for path in (mask, landmarks):
                path.parent.mkdir(parents=True)
            save_photo(mask, shop.mask)
            landmarks.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        # The last of the three: where there is a cloth, there is all of it.
        with whole_files(self.folder.parent, file.name) as drafts:
            cloth = _files(drafts / _SPLIT, file.name)[2]
            cloth.parent.mkdir(parents=True)
            save_photo(cloth, shop.cloth)
        measures = {name: round(value, 4) for name, value in asdict(cut.measures).items()}
        return Outcome(name=file.source, split=_SPLIT, category=kind.category, measures=measures, sha256=digest)

    def settled(self, file: GarmentFile, outcome: Outcome | None) -> bool:
        """Whether `outcome` of an earlier run is still true."""
        if outcome is None or not outcome.sha256 or (outcome.split and not _files(self.folder, file.name)[2].is_file()):
            return False
        try:
            return sha256_of(file.path) == outcome.sha256
        except OSError:
            return False

    def remove_others(self, names: set[str]) -> None:
        """Files of garments that are no longer kept, or were begun when a run was killed."""
        for path in _files(self.folder, "any"):
            for file in path.parent.glob("*") if path.parent.is_dir() else ():
                if file.name.removesuffix(path.suffix) not in names:
                    file.unlink()


def _files(split_folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Mask, landmarks and cloth."""
    mask, landmarks, cloth = (
        part_file(split_folder, kind, f"{name}.jpg") for kind in ("cloth_mask", "landmarks", "cloth")
    )
    return mask, landmarks, cloth


def _check(source: Path, folder: Path, height: int, width: int, workers: int) -> None:
    if height < 64 or width < 48 or height % 8 or width % 8 or max(height, width) > 4096:
        raise UserError(f"cannot make {height}x{width} pictures: use multiples of 8, 64x48 to 4096x4096")
    if workers < 1:
        raise UserError(f"{workers} workers cut out nothing: use at least one")
    inner, outer = folder.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise UserError(f"{folder} and {source} lie in each other: write to a folder elsewhere")


def _bounds() -> str:
    """Changes with what is kept: a folder must not hold garments of two ways to judge them."""
    return hashlib.sha256(repr((COMMON, dict(HEMS), dict(CLASSES), OTHER)).encode()).hexdigest()[:12]
