"""The trackers by name, and functions that run one over a sequence.

A new tracker needs a file beside `deepsort.py`, a dataclass in `constants.py` and an entry in `TRACKERS`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import supervision as sv

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.mot.sequences import read_sequence
from reidops.parts import Part
from reidops.tracking.boosttrack import BoostTrack
from reidops.tracking.botsort import BotSort
from reidops.tracking.bytetrack import ByteTrack
from reidops.tracking.camera_cache import cached_motion
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.cbiou import CBiou
from reidops.tracking.constants import AFLINK, MOTION_LINKING, Gate
from reidops.tracking.decisions import Decisions
from reidops.tracking.deepocsort import DeepOcSort
from reidops.tracking.deepsort import DeepSort
from reidops.tracking.evidence import EvidenceTracker
from reidops.tracking.hybridsort import HybridSort
from reidops.tracking.interpolation import interpolate_tracks
from reidops.tracking.link_network import FILE, load_network
from reidops.tracking.linking import link_tracks
from reidops.tracking.ocsort import OcSort
from reidops.tracking.sort import Sort
from reidops.tracking.strongsort import StrongSort
from reidops.tracking.tracks import DETECTION, NO_DETECTION

TRACKERS: dict[str, type] = {
    "sort": Sort,
    "deepsort": DeepSort,
    "strongsort": StrongSort,
    "bytetrack": ByteTrack,
    "botsort": BotSort,
    "ocsort": OcSort,
    "deepocsort": DeepOcSort,
    "cbiou": CBiou,
    "hybridsort": HybridSort,
    "boosttrack": BoostTrack,
    "evidence": EvidenceTracker,
}
# Trackers whose constants are in seconds: they take a frame rate, and `update` takes the time of a frame.
TIMED = ("evidence",)

_TRACK_COLUMNS = ("frame", "track_id", "left", "top", "width", "height", "confidence", "detection")


class Tracker(Protocol):
    """The interface of every tracker, for live video and for the pipeline."""

    decisions: Decisions | None  # what was weighed in the last frame; None before the first

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the confirmed tracks of one frame as detections, with `tracker_id` and `data["detection"]` set.

        `data["detection"]` is the index of each row among the caller's detections. The box of a row is the detection's
        or the filter's, by the tracker's constant `boxes`. DeepSORT and StrongSORT add a row for a track without a
        detection in this frame but in the previous one (constant `coast`), with the predicted box and
        `data["detection"]` −1.

        Call it once for every frame in order, also without detections (`sv.Detections.empty()`).

        Args:
            detections: `xyxy` is box_ltrb in px.
            embeddings: unit rows [num_detections, dim]; a row of zeros = none for this one; None = track without
                appearance.
            frame: the picture, BGR uint8 [h, w, 3], for trackers that use it.

        Raises:
            ReidopsError: a box or an embedding is not finite, a box has no area, or there are more or fewer embeddings.
        """


def new_tracker(
    name: str, gate: Gate | None, constants: Any, camera: CameraMotion | None = None, *, frame_rate: float = 30.0
) -> Tracker:
    """Return a new tracker by its name in params.yaml.

    Args:
        gate: of appearance, in the tracker's own cost; None = the published one.
        constants: the tracker's dataclass (`constants.CONSTANTS`).
        frame_rate: of the frames that it is given, fps; only the trackers of `TIMED` use it.
    """
    if name in TIMED:
        return TRACKERS[name](constants, gate, camera, frame_rate)
    return TRACKERS[name](constants, gate, camera)


def update_tracker(
    tracker: Tracker,
    detections: sv.Detections,
    embeddings: np.ndarray | None = None,
    frame: np.ndarray | None = None,
    timestamp: float | None = None,
) -> sv.Detections:
    """Return a tracker's output for one frame; the time of the frame [s] is passed to those of `TIMED`."""
    if isinstance(tracker, EvidenceTracker):
        return tracker.update(detections, embeddings, frame, timestamp)
    return tracker.update(detections, embeddings, frame)


def new_camera(part: Part, camera: tuple[str, Path], stride: int = 1) -> CameraMotion:
    """Return the camera motion of every stride-th frame of a part, read from the folder, or computed and stored."""
    method, folder = camera
    return cached_motion(read_sequence(part.folder), method, folder, part.frames(stride))


def track_sequence(
    tracker: Tracker,
    detected: EmbeddedDetections,
    frames: Iterable[int],
    *,
    appearance: bool = True,
    watch: Callable[[int, list[int], Tracker], None] | None = None,
) -> pd.DataFrame:
    """Return the tracks of a sequence: frame, track_id, left, top, width, height, confidence, detection; px 0-based.

    `detection` is the row of `detected` that the track was matched to in this frame, −1 = none.

    Args:
        detected: its rows may be in any order.
        frames: the 1-based frames to process, in order, including those without detections.
        appearance: False = track without embeddings.
        watch: called after each frame with its number, the rows of its detections, and the tracker.
    """
    results = []
    for frame, rows, result in tracked_frames(tracker, detected, frames, appearance=appearance):
        results.append((frame, rows, result))
        if watch is not None:
            watch(frame, rows, tracker)
    return _track_table(results)


def tracked_frames(
    tracker: Tracker, detected: EmbeddedDetections, frames: Iterable[int], *, appearance: bool = True
) -> Iterator[tuple[int, list[int], sv.Detections]]:
    """Yield frame, rows of its detections and the tracker's output, frame by frame; see `track_sequence`."""
    rows_of = detected.rows_by_frame()
    for frame in frames:
        rows = rows_of.get(frame, [])
        detections = sv.Detections(
            xyxy=ltwh_to_ltrb(detected.box_ltwh[rows]),
            confidence=detected.confidence[rows],
            class_id=np.ones(len(rows), dtype=int),
        )
        yield frame, rows, tracker.update(detections, detected.embeddings[rows] if appearance else None)


def _track_table(results: list[tuple[int, list[int], sv.Detections]]) -> pd.DataFrame:
    frame_of_row = np.concatenate([[0], *([frame] * len(result) for frame, _, result in results)])[1:].astype(int)
    box_ltwh = ltrb_to_ltwh(np.concatenate([np.zeros((0, 4)), *(result.xyxy for _, _, result in results)]))
    ids = np.concatenate([np.zeros(0, int), *(result.tracker_id for _, _, result in results)])
    confidence = np.concatenate([np.zeros(0), *(result.confidence for _, _, result in results)])
    # NO_DETECTION is −1: it picks the place that is appended.
    chosen = [np.append(rows, NO_DETECTION).astype(int)[result.data[DETECTION]] for _, rows, result in results]
    detection = np.concatenate([np.zeros(0, int), *chosen])
    return pd.DataFrame(dict(zip(_TRACK_COLUMNS, (frame_of_row, ids, *box_ltwh.T, confidence, detection), strict=True)))


@dataclass(frozen=True)
class Finishing:
    """Steps after tracking that need the whole sequence, so a live video cannot have them.

    Attributes:
        linking: False = none, `motion` (or True), `aflink` = the network that is shipped, or the file of its weights.
    """

    linking: bool | str = False
    interpolation: bool = False


def finish_tracks(tracks: pd.DataFrame, finishing: Finishing) -> pd.DataFrame:
    """Return the tracks linked and interpolated, as `finishing` sets.

    Raises:
        ReidopsError: the weights of the network are missing, or of another one.
    """
    if finishing.linking in (True, MOTION_LINKING):
        tracks = link_tracks(tracks)
    elif finishing.linking:
        weights = FILE if finishing.linking == AFLINK else Path(str(finishing.linking))
        tracks = link_tracks(tracks, network=load_network(weights))
    return interpolate_tracks(tracks) if finishing.interpolation else tracks
