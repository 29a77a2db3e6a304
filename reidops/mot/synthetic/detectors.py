"""Three detectors as they look from outside: what they miss, how they shake, how they score and what they make up.

They are drawn from the annotations, not run on the frames; their faults follow those of DPM, Faster R-CNN and SDP on
MOT17.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from reidops.mot.sequences import PEDESTRIAN
from reidops.mot.synthetic.frames import DISTRACTOR, REFLECTION, STATIC_PERSON, Sighting
from reidops.mot.synthetic.street import FAR, NEAR, Street

PERSISTENCE = 0.72  # how much of a detector's mood about one person carries over to the next frame
# how readily each class is taken for a person
TEMPTATION = {PEDESTRIAN: 1.0, STATIC_PERSON: 0.85, DISTRACTOR: 0.55, REFLECTION: 0.3}


@dataclass(frozen=True)
class Detector:
    """A detector's character.

    `recall` is for tall, uncovered people; it falls to half at `half_visibility` and at `half_height` (parts of the
    frame's height). `jitter` is in parts of a box, `shrink` is how far a box gives way to what is seen of a covered
    person, `false_alarms` and `haunts` are how many boxes per frame are made up anywhere and at a few places again and
    again; `aspect` fixes width / height.
    """

    name: str
    recall: float
    half_visibility: float
    half_height: float
    jitter: float
    shrink: float
    scores: tuple[float, float]
    false_alarms: float
    haunts: float
    aspect: float | None = None


DETECTORS = (
    Detector("DPM", 0.84, 0.5, 0.165, 0.055, 0.1, (-0.5, 3.0), 1.1, 0.9, aspect=0.41),
    Detector("FRCNN", 0.93, 0.36, 0.145, 0.036, 0.6, (0.05, 1.0), 0.3, 0.35),
    Detector("SDP", 0.965, 0.27, 0.125, 0.028, 0.4, (0.4, 1.0), 0.22, 0.25),
)


def detect(
    rng: np.random.Generator, detector: Detector, sightings: list[Sighting], street: Street, num_frames: int
) -> np.ndarray:
    """Return detections [n, 6] (frame, left, top, width, height in 0-based px, score), sorted by frame, best score
    first.
    """
    rows = [_found(rng, detector, track, street, num_frames) for track in _by_track(sightings)]
    rows += [_false_alarms(rng, detector, street, num_frames), _haunts(rng, detector, street, num_frames)]
    found = np.concatenate(rows)
    found = found[
        (found[:, 1] < street.width - 2) & (found[:, 2] < street.height - 2) & (found[:, 1] + found[:, 3] > 2)
    ]
    return found[np.lexsort((found[:, 1], -found[:, 5], found[:, 0]))]


def _by_track(sightings: list[Sighting]) -> list[list[Sighting]]:
    tracks: dict[int, list[Sighting]] = {}
    for sighting in sightings:
        tracks.setdefault(sighting.track_id, []).append(sighting)
    return [tracks[track_id] for track_id in sorted(tracks)]


def _found(
    rng: np.random.Generator, detector: Detector, track: list[Sighting], street: Street, num_frames: int
) -> np.ndarray:
    """Return the detections [n, 6] of one track."""
    moods = _moods(rng, num_frames, 6)[[s.frame - 1 for s in track]]
    boxes = np.array([s.box_ltwh for s in track])
    visibility = np.array([s.visibility for s in track])
    chance = detector.recall * expit((visibility - detector.half_visibility) / 0.075)
    chance *= expit((boxes[:, 3] / street.height - detector.half_height) / 0.02) * TEMPTATION[track[0].class_id]
    kept = (ndtr(moods[:, 0]) < chance) & (visibility > 0.05)
    score = _scores(detector, chance / detector.recall + 0.16 * moods[:, 1] - 0.1)
    placed = _jittered(detector, _seen_boxes(detector, track, boxes), moods[:, 2:])
    return np.column_stack([[s.frame for s in track], placed, score])[kept]


def _seen_boxes(detector: Detector, track: list[Sighting], boxes: np.ndarray) -> np.ndarray:
    """Return where a detector would put its boxes, ltwh [n, 4]: between the whole person and what is seen of it."""
    whole = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    seen = np.array([ltrb if s.visible_ltrb is None else s.visible_ltrb for s, ltrb in zip(track, whole, strict=True)])
    covered = 1 - np.array([s.visibility for s in track])[:, None]
    mixed = whole + (seen - whole) * detector.shrink * covered
    return np.column_stack([mixed[:, :2], mixed[:, 2:] - mixed[:, :2]])


def _jittered(detector: Detector, boxes: np.ndarray, moods: np.ndarray) -> np.ndarray:
    """Return boxes ltwh [n, 4], shaken by moods [n, 4] and brought to the detector's aspect."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2 + moods[:, :2] * detector.jitter * boxes[:, 2:]
    sizes = boxes[:, 2:] * (1 + 1.2 * detector.jitter * moods[:, 2:])
    if detector.aspect is not None:
        sizes[:, 0] = sizes[:, 1] * detector.aspect
    return np.column_stack([centres - sizes / 2, sizes])


def _false_alarms(rng: np.random.Generator, detector: Detector, street: Street, num_frames: int) -> np.ndarray:
    """Return detections [n, 6] of nothing, anywhere on the street, half as sure as real ones."""
    count = int(rng.poisson(detector.false_alarms * num_frames))
    frames = rng.integers(1, num_frames + 1, count)
    return np.column_stack([frames, _person_like(rng, street, count), _scores(detector, rng.beta(1.5, 3.2, count))])


def _haunts(rng: np.random.Generator, detector: Detector, street: Street, num_frames: int) -> np.ndarray:
    """Return detections [n, 6] of things that a detector takes for people again and again."""
    places = _person_like(rng, street, 4)
    rows = [np.empty((0, 6))]
    for place in places:
        moods = _moods(rng, num_frames, 6)
        frames = np.flatnonzero(ndtr(moods[:, 0]) < detector.haunts / len(places))
        boxes = _jittered(detector, np.repeat(place[None], len(frames), axis=0), 0.6 * moods[frames, 2:])
        rows.append(np.column_stack([frames + 1, boxes, _scores(detector, 0.3 + 0.15 * moods[frames, 1])]))
    return np.concatenate(rows)


def _person_like(rng: np.random.Generator, street: Street, count: int) -> np.ndarray:
    """Return boxes ltwh [count, 4] at random places on the ground, about as tall as a person at that place."""
    z = rng.uniform(NEAR, FAR + 1, count)
    x = rng.uniform(-1, 1, count) * street.half_view(1.0) * z
    feet = street.camera.project(np.column_stack([x, np.zeros(count), z])) - street.margin
    heights = street.camera.focal / z * rng.uniform(1.3, 2.3, count)
    widths = heights * rng.uniform(0.34, 0.5, count)
    return np.column_stack([feet[:, 0] - widths / 2, feet[:, 1] - heights, widths, heights])


def _scores(detector: Detector, sureness: np.ndarray) -> np.ndarray:
    """Return scores in the detector's own range for a sureness of about 0 … 1."""
    low, high = detector.scores
    return low + (high - low) * expit(4.5 * (sureness - 0.45))


def _moods(rng: np.random.Generator, num_frames: int, count: int) -> np.ndarray:
    """Return normal variates [num_frames, count] that change slowly from frame to frame."""
    moods = rng.standard_normal((num_frames, count))
    for k in range(1, num_frames):
        moods[k] = PERSISTENCE * moods[k - 1] + np.sqrt(1 - PERSISTENCE**2) * moods[k]
    return moods
