"""Lists of pairs, as datasets have them: one 'person.jpg cloth.jpg' a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lite_vton.data.layout import PICTURE_SUFFIXES
from lite_vton.errors import UserError
from lite_vton.files.text import read_given_bytes, text_of

__all__ = ["Pair", "read_pairs"]


@dataclass(frozen=True)
class Pair:
    """File names of a person and a garment; `part` the dataset's folder they are in, empty where it has but one."""

    person: str
    cloth: str
    part: str = ""


_LONGEST = 1000  # of a line: two names and their numbers
_NAME = rf"\S.*?(?:{'|'.join(re.escape(suffix) for suffix in PICTURE_SUFFIXES)})"
_TWO_PICTURES = re.compile(rf"({_NAME})\s+({_NAME})(?:\s.*)?", re.IGNORECASE)


def read_pairs(path: Path, part: str = "") -> list[Pair]:
    """The pairs a list names, each once; what follows on a line is not looked at, nor are lines that begin with '#'.

    Names end with a picture's suffix, so they may have spaces in them; names without one may not.
    `UserError` for a list that is missing, is no UTF-8, names no pair, or leads out of the dataset.
    """
    lines = re.split(r"\r\n|\r|\n", text_of(read_given_bytes(path, f"{path}, the list of pairs"), str(path)))
    pairs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        names = _names(line.strip()) if len(line) < _LONGEST else None
        if names is None or not all(_is_plain(name) for name in names):
            shown = line.strip() if len(line) < 200 else f"{line.strip()[:200]}..."
            raise UserError(f"{path}, line {number}: {shown!r} is no pair, write 'person.jpg cloth.jpg'")
        pairs.append(Pair(*names, part))
    if not pairs:
        raise UserError(f"{path} lists no pairs: copy it again, or draw some (`lite-vton data synthesize -o drawn`)")
    return list(dict.fromkeys(pairs))


def _names(line: str) -> tuple[str, str] | None:
    if "\t" in line:
        words = [word.strip() for word in line.split("\t") if word.strip()]
        if len(words) >= 2:
            return words[0], words[1]
    found = _TWO_PICTURES.fullmatch(line)
    if found is not None:
        return found[1], found[2]
    words = line.split()
    return (words[0], words[1]) if len(words) >= 2 else None


def _is_plain(name: str) -> bool:
    """A name is no path: a list from elsewhere must not reach outside the dataset."""
    return Path(name).name == name and name != ".." and not any(bad in name for bad in ("\\", "/", "\0"))
