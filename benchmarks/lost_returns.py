"""Count why the evidence tracker gives people who return another track, on the streets of gaps.py.

    python benchmarks/lost_returns.py --model data/export [--seeds 101 102 7] [--streets 05 06] [--frame-rates 12 25]
                                      [--folder FOLDER] [--arm appearance] [--output lost_returns.csv]

Each return that is not kept has one cause. It is decided in the frame in which the person is first detected again, for
the *right pair*: the track that the person had before the gap, and this detection. The second table has the medians of
the log odds of the right pair and of its terms. --output writes one row per return, with these numbers.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from gaps import add_options, prepare, setup_of

from reidops.boxes.embeddings import read_embeddings
from reidops.boxes.identities import people_of_boxes
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parts import Part
from reidops.progress_bar import progress_bar
from reidops.tracking.constants import oracle_gate
from reidops.tracking.evaluation.arm_names import APPEARANCE, NO_APPEARANCE, ORACLE
from reidops.tracking.evaluation.arms import with_arm_embeddings
from reidops.tracking.evaluation.events import event_table
from reidops.tracking.evaluation.gaps import GAP_EDGES, find_returns, kept_returns
from reidops.tracking.evaluation.scoring import compare, rules_of
from reidops.tracking.evaluation.setups import TrackerSetup
from reidops.tracking.evaluation.windows import person_counts
from reidops.tracking.evidence import AGAINST, EvidenceTracker
from reidops.tracking.trackers import track_sequence

KEPT = "kept"
NOT_BEFORE, NOT_AFTER = "the person had no track before the gap", "the person had no track after the gap"
REMOVED = "the track was removed during the gap"
TAKEN = "the track had taken another detection"
OTHER_TRACK = "another track took the detection"
AGAINST_LOOK = "a new track started: appearance is against the pair"
AGAINST_PLACE = "a new track started: presence and motion are against it"
LATER = "the pair was matched, and the person's track changed within the run"
TERMS = ("presence", "motion", "appearance", "log odds")


class RecordingTracker(EvidenceTracker):
    """The evidence tracker, which keeps the terms of all pairs of each frame.

    Attributes:
        frames: of each update the track ids, the caller's rows of the detections, the pairs, and the terms by name.
    """

    frames: list[tuple[np.ndarray, np.ndarray, dict[int, int], dict[str, np.ndarray]]]

    def _compute_decisions(self, seen: Any, measured: np.ndarray, certainty: np.ndarray) -> Any:
        presence = self._chain.log_odds(self._tracks["presence"]) - np.log(
            self._constants.arrivals * min(self._seconds, 1)
        )
        evidence, decisions = super()._compute_decisions(seen, measured, certainty)
        total = -decisions.terms[AGAINST]
        terms = dict(
            zip(
                TERMS,
                (
                    np.broadcast_to(presence[:, None], total.shape),
                    evidence - presence[:, None],
                    total - evidence,
                    total,
                ),
                strict=True,
            )
        )
        self.__dict__.setdefault("frames", []).append(
            (decisions.track_ids, decisions.rows, {row: column for row, column, _ in decisions.pairs}, terms)
        )
        return evidence, decisions


def find_causes(part: Part, setup: TrackerSetup, arm: str) -> pd.DataFrame:
    """Return one row per return of a scored person: sequence, track_id, left, back, gap, cause and TERMS."""
    sequence = read_sequence(part.folder)
    frames = part.frames(1)
    annotations = read_annotations(sequence)
    detected = read_embeddings(setup.embeddings / f"{part.sequence}.npz", setup.weights_sha256)
    people = people_of_boxes(detected.frame, detected.box_ltwh, annotations, among="all")
    embedded = with_arm_embeddings(arm, detected, people, part.sequence)
    gate = oracle_gate("evidence") if arm == ORACLE else setup.gate
    tracker = RecordingTracker(setup.constants, gate, frame_rate=sequence.frame_rate)
    tracks = track_sequence(tracker, embedded, frames, appearance=arm != NO_APPEARANCE)
    comparison = compare(annotations, tracks, frames, rules_of(part.dataset))
    events = event_table(comparison)
    found = find_returns(detected.frame, people)
    found = found[found["track_id"].isin(person_counts(comparison)["track_id"])].reset_index(drop=True)
    held = events[events["event"].isin(["MATCH", "SWITCH"])]
    rows_of, first = detected.rows_by_frame(), frames[0]
    rows = []
    for which, kept in zip(found.itertuples(), kept_returns(found, events), strict=True):
        of_person = held[held["track_id"] == which.track_id]
        recorded = tracker.frames[which.back - first]
        shown = rows_of[which.back]
        columns = [c for c, row in enumerate(recorded[1]) if people[shown[row]] == which.track_id]
        cause, terms = explain(which, of_person, recorded, columns[0])
        rows.append({**which._asdict(), "sequence": part.sequence, "cause": KEPT if kept else cause, **terms})
    return pd.DataFrame(rows)


def explain(which: Any, held: pd.DataFrame, recorded: tuple, column: int) -> tuple[str, dict[str, float]]:
    """Return the cause of one return that is not kept, and the terms of the right pair where the track still exists.

    Args:
        which: row of `find_returns`.
        held: matches of the person, from the event table.
        recorded: the frame in which the person is back, see `RecordingTracker.frames`.
        column: the detection of the person in this frame.
    """
    before = held[held["frame"] <= which.left].sort_values("frame")
    if before.empty:
        return NOT_BEFORE, {}
    if not held["frame"].between(which.back, which.until).any():
        return NOT_AFTER, {}
    track_ids, _, pairs, by_name = recorded
    found = np.flatnonzero(track_ids == before["tracker_id"].iloc[-1])
    if not len(found):
        return REMOVED, {}
    row = int(found[0])
    terms = {name: float(values[row, column]) for name, values in by_name.items()}
    return _cause_of_pair(row, column, pairs, terms), terms


def _cause_of_pair(row: int, column: int, pairs: dict[int, int], terms: dict[str, float]) -> str:
    if pairs.get(row) == column:
        return LATER
    if row in pairs:
        return TAKEN
    if column in pairs.values():
        return OTHER_TRACK
    return AGAINST_LOOK if terms["appearance"] < 0 else AGAINST_PLACE


def format_counts(table: pd.DataFrame) -> str:
    """Return Markdown: how many returns have each cause, by length of gap; and the medians of the terms."""
    edges = np.array(GAP_EDGES)
    gaps = edges[np.searchsorted(edges, table["gap"], "right") - 1]
    counts = pd.crosstab(table["cause"].to_numpy(), gaps, rownames=["cause"], colnames=["frames from"])
    counts = counts.loc[counts.sum(axis=1).sort_values(ascending=False).index]
    long = table[table["gap"] >= 11]
    medians = long.groupby("cause")[list(TERMS)].median().round(1)
    return f"{counts.to_markdown()}\n\nGaps of 11 frames and more, medians:\n\n{medians.dropna().to_markdown()}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--arm", choices=[NO_APPEARANCE, APPEARANCE, ORACLE], default=APPEARANCE)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        parts, embeddings, calibration = prepare(options, options.folder or Path(temporary))
        setup = setup_of("evidence", embeddings, calibration)
        tables: Sequence[pd.DataFrame] = [
            find_causes(part, setup, options.arm) for part in progress_bar(parts, desc="track", unit="streets")
        ]
    table = pd.concat(tables, ignore_index=True)
    if options.output:
        table.to_csv(options.output, index=False)
    print(format_counts(table))


if __name__ == "__main__":
    main()
