"""Remedies for boxes and people that are left out, by reason."""

from collections import Counter
from collections.abc import Sequence

from reidops.mot.crops import (
    ANOTHER_CLASS,
    BELOW_VISIBILITY,
    NOT_CONSIDERED,
    OUTSIDE,
    STRIDE,
    TOO_SMALL,
    BoxRules,
)

RARE = "people with fewer than min_per_person crops"
NAMED = "people named in download.leave_out"
BEYOND = "crops beyond max_per_person"
BETWEEN = "crops between query and gallery"
NO_PART = "frames of no part"
_TOTALS = ("boxes", "crops")  # keys of the numbers before anything was left out
_NO_FAULT = (BEYOND, BETWEEN, NO_PART)


def main_reason(taken: Counter) -> str:
    """Return the reason with the largest number, "" if there is none; crops that the split leaves out do not count."""
    faults = {reason: number for reason, number in taken.items() if reason not in (*_TOTALS, *_NO_FAULT) and number}
    return max(faults, key=faults.__getitem__) if faults else ""


def remedy_of(reason: str, rules: BoxRules, classes: Sequence[int] = ()) -> str:
    """Return the param to change so that fewer boxes are left out for a reason, "" if there is none.

    Args:
        classes: the classes of the annotations, the most frequent first.
    """
    others = [number for number in classes if number not in rules.classes]
    found = f": the annotations have the classes {', '.join(map(str, classes[:8]))}" if classes else ""
    named = f", e.g. convert.classes: [{others[0]}]" if others else ""
    remedies = {
        ANOTHER_CLASS: f"name the classes of people in convert.classes{found}{named}",
        NOT_CONSIDERED: "set convert.considered_only to false: the 7th field of gt.txt is 0 for these boxes",
        BELOW_VISIBILITY: _visibility_remedy(rules.vis_threshold),
        OUTSIDE: "compare imWidth and imHeight of seqinfo.ini with the frames, and the boxes with their unit (px)",
        TOO_SMALL: f"lower convert.min_width ({rules.min_width}) or convert.min_height ({rules.min_height})",
        STRIDE: f"lower convert.stride ({rules.stride})",
        RARE: (
            "lower convert.min_per_person; if people are in more frames than that, their id must be the same in all of "
            "them: name the columns frame and id in download.formats"
        ),
        NAMED: "name fewer people in the files of download.leave_out",
    }
    return remedies.get(reason, "")


def _visibility_remedy(threshold: float) -> str:
    if threshold <= 0:
        return "correct the 9th field of gt.txt: it is below 0"
    return (
        f"lower convert.vis_threshold ({threshold:g}), 0 takes every box; if the 9th field of gt.txt is not the "
        f"visibility, name its content in download.formats"
    )
