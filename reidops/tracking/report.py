"""What is kept of an evaluation: result files, events, pictures, and the table that is printed."""

from collections.abc import Sequence as Rows
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.mot.sequences import Sequence, read_sequence, write_results
from reidops.parts import Part
from reidops.tracking.constants import DEEPSORT_COSINE_GATE
from reidops.tracking.embeddings import read_frame
from reidops.tracking.evaluation import ARMS, COMBINED, SCORERS, ArmResult
from reidops.tracking.pictures import annotate_frame, draw_switches, draw_timeline, find_switches

_SHOWN = ("IDF1", "HOTA", "MOTA", "IDSW")
_SHOWN_ARM = "appearance"


def choose_gate(gate: float | str, calibration: dict, where: Path) -> float:
    """Return the largest cosine distance: `calibrated`, `published`, or the number itself.

    Raises:
        ReidopsError: the calibration has no such gate.
    """
    if gate == "published":
        return DEEPSORT_COSINE_GATE
    if gate != "calibrated":
        return float(gate)
    try:
        return float(calibration["gates"]["cosine"])
    except KeyError:
        raise ReidopsError(f"{where}: has no gates.cosine; run `dvc repro -f evaluate_reid`, or give evaluate_tracking.gate a number") from None


def headline(tree: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return of a score tree what is shown first: each arm's combined IDF1, HOTA, MOTA and IDSW, and what appearance adds."""
    return {arm: {name: sequences[COMBINED][name] for name in _SHOWN} for arm, sequences in tree.items()}


def write_arms(arms: Rows[ArmResult], folder: Path) -> None:
    """Write `results/<arm>/<sequence>.txt` in MOTChallenge's format and `events/<arm>/<sequence>.csv`."""
    for result in arms:
        write_results(result.tracks, folder / "results" / result.arm / f"{result.sequence}.txt")
        with whole_file(folder / "events" / result.arm / f"{result.sequence}.csv") as partial:
            result.events.to_csv(partial, index=False, float_format="%.4f", lineterminator="\n")


def write_pictures(part: Part, arms: Rows[ArmResult], folder: Path, *, num_switches: int, num_frames: int) -> None:
    """Write a sequence's timelines of all arms and, of the arm with appearance, its switches and some annotated frames."""
    sequence = read_sequence(part.folder)
    of_sequence = {result.arm: result for result in arms if result.sequence == part.sequence}
    shown = of_sequence[_SHOWN_ARM]
    timeline = draw_timeline({arm: result.events for arm, result in of_sequence.items()}, part.sequence)
    _save(timeline, folder / "timelines" / f"{part.sequence}.png")
    if switches := find_switches(shown.events)[:num_switches]:
        _save(draw_switches(sequence, shown.tracks, switches), folder / "switches" / f"{part.sequence}.png")
    for frame in np.linspace(part.first_frame, part.last_frame, num_frames + 2).round().astype(int)[1:-1]:
        _write_frame(sequence, int(frame), shown.tracks, folder / "frames" / f"{part.sequence}-{frame:06d}.jpg")


def format_scores(table: pd.DataFrame) -> str:
    """Return the reported scores as lines: sequence × arm, and the difference that appearance makes."""
    reported = table[table["scorer"] == SCORERS[0]].set_index(["sequence", "arm"])[list(_SHOWN)]
    lines = [f"{'sequence':<24}{'arm':<16}" + "".join(f"{name:>8}" for name in _SHOWN)]
    for sequence in reported.index.unique("sequence"):
        scores = {arm: reported.loc[(sequence, arm)] for arm in ARMS}
        scores["difference"] = scores["appearance"] - scores["no_appearance"]
        lines += [f"{sequence:<24}{arm:<16}" + _format_row(row, signed=arm == "difference") for arm, row in scores.items()]
    return "\n".join(lines)


def _format_row(row: pd.Series, *, signed: bool) -> str:
    sign = "+" if signed else ""
    return "".join(f"{row[name]:>{sign}8.0f}" if name == "IDSW" else f"{row[name]:>{sign}8.3f}" for name in _SHOWN)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def _write_frame(sequence: Sequence, frame: int, tracks: pd.DataFrame, path: Path) -> None:
    picture = annotate_frame(read_frame(sequence, frame), tracks[tracks["frame"] == frame])
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    with whole_file(path) as partial:
        partial.write_bytes(encoded.tobytes())
