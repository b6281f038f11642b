"""What the rows about CAAD say of why it is behind hints, sentence by sentence out of their figures."""

from __future__ import annotations

from dataclasses import dataclass

from lite_vton_training.reproduce.results import FIGURES, Results, Spread, paired, spread

__all__ = ["caad_conclusion"]


@dataclass(frozen=True)
class Suspect:
    """Something that may hold CAAD back: `row` has it changed and is else as `against`."""

    row: str
    against: str
    what: str


SUSPECTS = (
    Suspect("caad-sharp", "caad", "even logits"),
    Suspect("caad-placed", "caad", "that nothing says where a position is"),
    Suspect("caad-local", "caad", "the number of positions of a window"),
    Suspect("caad-coarse", "caad", "the upper levels"),
    Suspect("caad-strong", "caad", "the term's small weight"),
    Suspect("caad-sharp-strong", "caad-strong", "even logits at the large weight"),
)

_JUDGED = FIGURES[0]


def caad_conclusion(results: Results) -> list[str]:
    """Lines of Markdown; none before CAAD and one of the others have been run."""
    lines = [*_what_the_distance_buys(results), *(line for each in SUSPECTS for line in _tried(results, each))]
    lines += _beside_hints_when_slimmed(results)
    verdict = _verdict(results)
    if not lines:
        return []
    return ["What the rows say:", "", *(f"- {line}" for line in lines), "", *([verdict, ""] if verdict else [])]


def _what_the_distance_buys(results: Results) -> list[str]:
    """Whether CAAD's own distance fell by the student's features coming nearer, which CKA would show."""
    own, theirs = (_mean(results, row, "own_distance") for row in ("caad", "feature"))
    without, mine, hints = (_mean(results, row, "cka") for row in ("output", "caad", "feature"))
    if own is None or theirs is None or without is None or mine is None or hints is None:
        return []
    share = (mine - without) / (hints - without)
    earned = (
        "so most of the distance is earned by the projections, which are thrown away, and not by the student"
        if share < 0.5
        else "so the student's features do come nearer"
    )
    return [
        f"CAAD brings its own distance to {own:.3f} and hints theirs to {theirs:.3f}, but CKA rises from {without:.3f} "
        f"with output alone to {mine:.3f} with CAAD and {hints:.3f} with hints: {earned}."
    ]


def _tried(every: Results, suspect: Suspect) -> list[str]:
    seeds = every.get(suspect.row, {})
    results = {row: {seed: found[seed] for seed in found if seed in seeds} for row, found in every.items()}
    gain = paired(results, suspect.row, suspect.against, _JUDGED.key)
    if gain is None:
        return []
    told = [f"{suspect.row} is {_told(gain)} {suspect.against} ({gain.text(_JUDGED.digits, '+')} dB)"]
    closed = [
        f"{100 * share:.0f} % in {heading}"
        for key, heading in ((_JUDGED.key, "PSNR"), ("cka", "CKA"))
        if (share := _gap_closed(results, suspect.row, key)) is not None
    ]
    if closed:
        told.append(f"of what hints are ahead of caad it closes {' and '.join(closed)}")
    for key, heading in (("own_distance", "own distance"), ("attention", "share attended to")):
        before, after = (_mean(results, row, key) for row in (suspect.against, suspect.row))
        if after is not None:
            told.append(f"{heading} {after:.3f}" + ("" if before is None else f" against {before:.3f}"))
    return [f"If it is {suspect.what}: {', '.join(told)}."]


def _gap_closed(results: Results, row: str, figure: str) -> float | None:
    """How far `row` is on the way from caad to hints; None where either is not ahead of it, or missing."""
    gap, gain = (paired(results, each, "caad", figure) for each in ("feature", row))
    return None if gap is None or gain is None or min(gap.mean, gain.mean) <= 0 else gain.mean / gap.mean


def _beside_hints_when_slimmed(results: Results) -> list[str]:
    gain = paired(results, "caad-slimmed", "feature-slimmed", _JUDGED.key)
    if gain is None:
        return []
    return [
        "If a student at random has nothing to attend to: with both students cut out of the teacher, caad-slimmed is "
        f"{_told(gain)} feature-slimmed ({gain.text(_JUDGED.digits, '+')} dB)."
    ]


def _verdict(results: Results) -> str:
    """By those tried with more than one seed: a single one says nothing about chance."""
    gains = {each: paired(results, each.row, each.against, _JUDGED.key) for each in SUSPECTS}
    tried = {each.what: gain.values for each, gain in gains.items() if gain is not None}
    guilty = [what for what, values in tried.items() if len(values) > 1 and min(values) > 0]
    cleared = [what for what, values in tried.items() if len(values) > 1 and min(values) <= 0]
    open_yet = [what for what, values in tried.items() if len(values) == 1]
    sentences = {
        "With it changed CAAD is better with every seed": guilty,
        "With it changed CAAD is not better with every seed": cleared,
        "Tried with one seed alone, which says nothing about chance in so small a difference": open_yet,
    }
    return " ".join(f"{said}: {'; '.join(found)}." for said, found in sentences.items() if found)


def _told(gain: Spread) -> str:
    if len(gain.values) == 1:
        return "above" if gain.mean > 0 else "below"
    if min(gain.values) > 0:
        return "better than"
    return "worse than" if max(gain.values) < 0 else "not told apart from"


def _mean(results: Results, row: str, figure: str) -> float | None:
    found = spread(results, row, figure)
    return None if found is None else found.mean
