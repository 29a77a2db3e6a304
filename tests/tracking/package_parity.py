"""A tracker of the `trackers` package beside one of ours: the same detections, the same scores."""

from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pandas as pd
import supervision as sv

from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.tracking.evaluation.scoring import compare, official_results, official_scores, rules_of

Update = Callable[[sv.Detections], sv.Detections]

BOX = ["left", "top", "width", "height"]
COMPARED = ("MOTA", "IDF1", "HOTA")


def draw_street(seed: int, num_people: int = 12, num_frames: int = 150) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return annotations of people who walk up and down a street, and detections: shaken, some missed, some false."""
    rng = np.random.default_rng(seed)
    frame, person = (
        part.ravel() for part in np.meshgrid(np.arange(1, num_frames + 1), np.arange(num_people), indexing="ij")
    )
    start, speed = rng.uniform(0, 1700, num_people), rng.uniform(1, 7, num_people) * rng.choice([-1, 1], num_people)
    height, top = rng.uniform(120, 260, num_people), rng.uniform(100, 700, num_people)
    left = np.abs((start[person] + speed[person] * frame) % 3400 - 1700)
    sway = 8 * np.sin(frame / 9 + person)
    box_ltwh = np.column_stack([left, top[person] + sway, 0.4 * height[person], height[person]])
    truth = pd.DataFrame(box_ltwh, columns=BOX).assign(
        frame=frame, track_id=person + 1, considered=True, class_id=1, visibility=1.0
    )
    hidden = np.repeat(rng.random((num_frames // 10, num_people)) < 0.15, 10, axis=0).ravel() | (
        rng.random(len(truth)) < 0.04
    )
    found = truth.loc[~hidden, ["frame", *BOX]].reset_index(drop=True)
    found[BOX] += rng.normal(0, 3, (len(found), 4))
    false = pd.DataFrame(
        np.column_stack([rng.uniform(0, 900, (num_frames, 2)), np.tile([60.0, 150.0], (num_frames, 1))]), columns=BOX
    )
    found = pd.concat([found, false.assign(frame=np.arange(1, num_frames + 1))], ignore_index=True)
    return truth, found.assign(confidence=rng.uniform(0.6, 1, len(found)))


def with_filter_boxes(rival) -> Update:
    """Return a package tracker's update with the boxes of its own filters; by itself it returns those of the
    detections.
    """

    def update(detections: sv.Detections) -> sv.Detections:
        result = rival.update(detections)
        box_of = {track.tracker_id: track.get_state_bbox() for track in rival.tracks if track.tracker_id >= 0}
        shown = np.flatnonzero(np.isin(result.tracker_id, list(box_of)))
        result.xyxy[shown] = np.array([box_of[track_id] for track_id in result.tracker_id[shown].tolist()]).reshape(
            -1, 4
        )
        return result

    return update


def update_of(rival, boxes: str) -> Update:
    """Return the update whose boxes are as our constant `boxes` says."""
    return with_filter_boxes(rival) if boxes == "filter" else rival.update


def score_points(truth: pd.DataFrame, found: pd.DataFrame, update: Update, first_id: int) -> dict[str, float]:
    """Return official scores in points of the tracks that `update` makes; ids below `first_id` are not shown."""
    frames = range(1, int(truth["frame"].max()) + 1)
    rows_of = dict(iter(found.groupby("frame")))
    tracks = pd.concat(
        [_tracked(frame, rows_of.get(frame, found[:0]), update, first_id) for frame in frames], ignore_index=True
    )
    scores = asdict(official_scores(official_results(compare(truth, tracks, frames, rules_of("MOT17")))))
    return {name: 100 * scores[name] for name in COMPARED}


def _tracked(frame: int, rows: pd.DataFrame, update: Update, first_id: int) -> pd.DataFrame:
    result = update(
        sv.Detections(xyxy=ltwh_to_ltrb(rows[BOX].to_numpy(dtype=float)), confidence=rows["confidence"].to_numpy())
    )
    shown = result[result.tracker_id >= first_id]
    table = pd.DataFrame(ltrb_to_ltwh(shown.xyxy), columns=BOX)
    return table.assign(frame=frame, track_id=np.asarray(shown.tracker_id, dtype=int) + 1 - first_id, confidence=1.0)
