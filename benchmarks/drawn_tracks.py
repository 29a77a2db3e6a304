"""Generate data for benchmarks/tracking.py from a seed: walking people, their detections and their tracks.

No pictures are generated, because the cost of updates and scores depends on boxes only.
"""

import numpy as np
import pandas as pd
import supervision as sv

from reidops.mot.boxes import ltwh_to_ltrb

WIDTH, HEIGHT = 1920, 1080  # px
# MOT17's train sequences: frames, boxes of considered pedestrians, people.
MOT17 = {
    "02": (600, 18_581, 62),
    "04": (1050, 47_557, 83),
    "05": (837, 6_917, 133),
    "09": (525, 5_325, 26),
    "10": (654, 12_839, 57),
    "11": (900, 9_436, 75),
    "13": (750, 11_642, 110),
}
_DISTRACTOR = 8


def draw_walks(num_frames: int, num_people: int, rng: np.random.Generator) -> np.ndarray:
    """Return the boxes of people who walk and turn at the picture's edges, box_ltwh [num_frames, num_people, 4]."""
    height = rng.uniform(100, 350, num_people)
    size = np.stack([0.4 * height, height], axis=1)
    room = np.array([WIDTH, HEIGHT]) - size
    steps = rng.normal(0, 3, (1, num_people, 2)) + np.cumsum(rng.normal(0, 0.15, (num_frames, num_people, 2)), axis=0)
    places = rng.uniform(0, room) + np.cumsum(steps, axis=0)
    left_top = room * np.abs((places / room + 1) % 2 - 1)
    return np.concatenate([left_top, np.broadcast_to(size, left_top.shape)], axis=2)


def draw_frames(num_frames: int, num_detections: int, rng: np.random.Generator) -> list[sv.Detections]:
    """Return frames with exactly this number of detections, of 10 % more people, some of whom are hidden for a time.

    Boxes have noise of 2 % of their size. A tenth of the scores is below 0.6, the threshold of high confidence in some
    trackers.
    """
    num_people = num_detections + max(1, num_detections // 10)
    box_ltwh = _shaken(draw_walks(num_frames, num_people, rng), rng)
    hidden = np.argsort(_slow_noise(num_frames, num_people, rng), axis=1)
    frames = []
    for boxes, order in zip(box_ltwh, hidden, strict=True):
        seen = rng.permutation(order[:num_detections])
        confidence = np.where(
            rng.random(num_detections) < 0.1, rng.uniform(0.2, 0.6, num_detections), rng.uniform(0.7, 1, num_detections)
        )
        frames.append(
            sv.Detections(xyxy=ltwh_to_ltrb(boxes[seen]), confidence=confidence, class_id=np.ones(num_detections, int))
        )
    return frames


def draw_annotations(scene: str, rng: np.random.Generator, share: float = 1.0) -> pd.DataFrame:
    """Return a ground truth of the size of a MOT17 sequence, or a fraction of it, with 20 % additional distractors."""
    num_frames, num_boxes, num_people = MOT17[scene]
    num_frames, num_boxes = round(num_frames * share), round(num_boxes * share)
    at_once = -(-num_boxes // num_frames)
    slots = at_once + max(1, at_once // 5)
    box_ltwh = draw_walks(num_frames, slots, rng)
    frame, slot = (part.ravel() for part in np.indices((num_frames, slots)))
    # A place among the people is handed on: each stays as long as makes up the sequence's number of people.
    stay = max(1, round(num_frames * at_once / num_people))
    visit = (frame + slot * stay // slots) // stay
    track_id = 1 + slot * (num_frames // stay + 2) + np.where(slot < at_once, visit, 0)
    rows = pd.DataFrame(
        {
            "frame": frame + 1,
            "track_id": track_id,
            **dict(zip(("left", "top", "width", "height"), box_ltwh.reshape(-1, 4).T, strict=True)),
            "considered": slot < at_once,
            "class_id": np.where(slot < at_once, 1, _DISTRACTOR),
            "visibility": 1.0,
        }
    )
    spare = rng.choice(np.flatnonzero(slot < at_once), at_once * num_frames - num_boxes, replace=False)
    return rows.drop(index=spare).sort_values(["track_id", "frame"], ignore_index=True)


def draw_tracks(annotations: pd.DataFrame, rng: np.random.Generator, *, found: float = 0.75) -> pd.DataFrame:
    """Return tracks of a ground truth: a fraction of its boxes with noise, with new identities every hundred frames."""
    rows = annotations[rng.random(len(annotations)) < found]
    box_ltwh = _shaken(rows[["left", "top", "width", "height"]].to_numpy(), rng)
    _, track_id = np.unique(1000 * rows["track_id"].to_numpy() + rows["frame"].to_numpy() // 100, return_inverse=True)
    columns = dict(zip(("left", "top", "width", "height"), box_ltwh.T, strict=True))
    return pd.DataFrame({"frame": rows["frame"].to_numpy(), "track_id": track_id + 1, **columns, "confidence": 1.0})


def _shaken(box_ltwh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the boxes with noise of 2 % of their size in position and size."""
    size = box_ltwh[..., 2:]
    return box_ltwh + 0.02 * np.concatenate([size, size], axis=-1) * rng.normal(0, 1, box_ltwh.shape)


def _slow_noise(num_frames: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return random values with a correlation time of about ten frames, [num_frames, count]."""
    steps = rng.normal(0, 1, (num_frames // 10 + 2, count))
    return np.stack(
        [np.interp(np.arange(num_frames) / 10, np.arange(len(steps)), column) for column in steps.T], axis=1
    )
