"""Choose the crops of each tracklet: spread in time, visible and sharp."""

import numpy as np
import pandas as pd

from reidops.tracklets.rules import CropRules

_STEPS = 10  # of visibility; crops in the same step are compared by their sharpness


def choose_crops(boxes: pd.DataFrame, rules: CropRules) -> pd.DataFrame:
    """Return at most `number` boxes of each piece, in the order of piece and frame.

    The boxes of a piece are divided into spans of equal length in time order, and the best box of each span is chosen:
    the most visible one, and of equally visible ones the sharpest. A span without a good box has none.

    Args:
        boxes: frame, height, visible, sharpness and piece, ordered by piece and frame.
    """
    is_good = (
        (boxes["height"] >= rules.min_height)
        & (boxes["visible"] >= rules.min_visible)
        & boxes["sharpness"].ge(rules.min_sharpness)
    )
    good = boxes[is_good]
    place = boxes.groupby("piece").cumcount()[is_good]
    length = boxes.groupby("piece")["frame"].transform("size")[is_good]
    span = place * np.minimum(length, rules.number) // length
    ranked = good.assign(span=span, step=np.floor(good["visible"] * _STEPS)).sort_values(
        ["piece", "span", "step", "sharpness", "frame"], ascending=[True, True, False, False, True], kind="stable"
    )
    best = ranked.drop_duplicates(["piece", "span"]).sort_values(["piece", "frame"], kind="stable")
    return best.drop(columns=["span", "step"]).reset_index(drop=True)
