"""Why a person's track changed: the tracker's cost terms of their detection, and the gate that decided."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from reidops.tracking.botsort import PROXIMITY
from reidops.tracking.decisions import APPEARANCE
from reidops.tracking.evaluation.moments import Moment, Term
from reidops.tracking.evaluation.switches import Switch
from reidops.tracking.tracks import NO_DETECTION

# Terms whose gate decides whether appearance is computed, not whether the pair is allowed (BoT-SORT).
_GATES_OF_APPEARANCE = (PROXIMITY,)


@dataclass(frozen=True)
class Reason:
    """The cause of a switch: a sentence, and the detection's terms with the old track and with the new one."""

    sentence: str
    old: tuple[Term, ...] = ()
    new: tuple[Term, ...] = ()


@dataclass(frozen=True)
class _Case:
    """One switch: the person's detection (column), and the rows of the two tracks, None = no such track."""

    switch: Switch
    moment: Moment
    num_unseen: int
    column: int
    old: int | None
    new: int | None


def explain(switch: Switch, moments: Mapping[int, Moment], tracks: pd.DataFrame) -> Reason:
    """Return why the person's old track was not given their detection, and why the new one was.

    Args:
        moments: by frame; a switch in another frame is not explained.
        tracks: of the arm, frame, track_id and detection.
    """
    moment = moments.get(switch.after.frame)
    if moment is None:
        return Reason("What the tracker weighed was not recorded in this frame.")
    row = tracks[(tracks["frame"] == switch.after.frame) & (tracks["track_id"] == switch.after.tracker_id)].iloc[0]
    if row["detection"] == NO_DETECTION:
        return Reason("The new track had no detection in this frame: its box is a predicted or a filled one.")
    column = moment.column_of(int(row["detection"]))
    if column is None:
        return Reason("The tracker did not weigh this detection in this frame.")
    new = moment.pair_of_column(column)
    if new and int(moment.decisions.track_ids[new[0]]) not in (-1, switch.after.tracker_id):
        return Reason("Tracks were linked after tracking, so that what was weighed goes by other numbers.")
    case = _Case(
        switch,
        moment,
        _num_unseen(switch, tracks),
        column,
        moment.row_of(switch.before.tracker_id),
        new[0] if new else None,
    )
    sentence = f"{_old_track_clause(case)}; {_new_track_clause(case)}."
    return Reason(sentence[0].upper() + sentence[1:], moment.terms(case.old, column), moment.terms(case.new, column))


def _num_unseen(switch: Switch, tracks: pd.DataFrame) -> int:
    """Return the age of the old track's last detection in frames, 1 = previous frame; filled boxes do not count."""
    earlier = (tracks["track_id"] == switch.before.tracker_id) & (tracks["frame"] < switch.after.frame)
    return switch.after.frame - int(tracks.loc[earlier & (tracks["detection"] != NO_DETECTION), "frame"].max())


def _old_track_clause(case: _Case) -> str:
    name = f"track {case.switch.before.tracker_id}"
    if case.old is None:
        return f"{name} had been given up, last seen {case.num_unseen} frames before"
    taken = case.moment.pair_of_row(case.old)
    if taken is not None:
        there = _values_text(case.moment.terms(case.old, taken[0]))
        here = _values_text(case.moment.terms(case.old, case.column))
        return f"{name} went to another detection in stage “{taken[1]}”: {there} there, {here} here"
    age = "was seen in the frame before" if case.num_unseen == 1 else f"was {case.num_unseen} frames old"
    terms = case.moment.terms(case.old, case.column)
    blocking = [str(term) for term in terms if term.blocks and term.name not in _GATES_OF_APPEARANCE]
    passed = ", ".join(str(term) for term in terms if term.passes and term.name not in _GATES_OF_APPEARANCE)
    if blocking:
        return (
            f"{name} {age}: {' and '.join(blocking)} blocked "
            f"it{f' ({passed} did not)' if passed else ''}{_no_appearance_clause(terms)}"
        )
    allowed = passed or "no gate was in its way"
    return f"{name} {age} and could have passed ({allowed}) but was not chosen{_no_appearance_clause(terms)}"


def _no_appearance_clause(terms: tuple[Term, ...]) -> str:
    """Return a clause if appearance was not computed, with the gate that prevented it."""
    if not any(term.name == APPEARANCE and not term.weighed for term in terms):
        return ""
    kept = [str(term) for term in terms if term.blocks and term.name in _GATES_OF_APPEARANCE]
    return f", and appearance was not weighed{f' ({kept[0]})' if kept else ''}"


def _new_track_clause(case: _Case) -> str:
    after, owner = case.switch.after, case.switch.owner
    pair = case.moment.pair_of_column(case.column)
    if pair is None:
        return "a new track began"
    row, stage = pair
    held = f", which had held person {owner.track_id}," if owner and owner.track_id not in (-1, after.track_id) else ""
    terms = case.moment.terms(row, case.column)
    passed = ", ".join(str(term) for term in terms if term.passes) or _values_text(terms)
    begun = " (just begun)" if case.moment.decisions.track_ids[row] == -1 else ""
    return f"track {after.tracker_id}{begun}{held} came through stage “{stage}”: {passed}"


def _values_text(terms: tuple[Term, ...]) -> str:
    """Return the values alone: `overlap 0.31, appearance 0.20`."""
    return ", ".join(str(Term(term.name, term.value, None)) for term in terms if term.weighed)
