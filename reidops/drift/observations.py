"""What a detector and an embedder see of a scene: sizes, colours, scores and embeddings of a sample of its boxes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.boxes.box_crops import read_frame
from reidops.boxes.box_embedding import CropEmbedder
from reidops.boxes.cutting import MIN_CROP_SIDE, cut_box
from reidops.errors import ReidopsError
from reidops.mot.sequences import Sequence

MAX_BOXES = 80
"""Boxes of a scene that are embedded, about."""

_LUMA_BGR = np.array([0.114, 0.587, 0.299])


@dataclass(frozen=True)
class Observations:
    """Boxes of one scene, ordered by frame. Frames come in pairs of half a second, so that lost people can be found.

    Attributes:
        scene: name of the scene.
        pair: int [n], index of the pair of frames; `is_later` [n] is true in its second frame.
        height, width: float [n], px.
        brightness, contrast: float [n], mean and standard deviation of the luma, 0 … 255.
        red_green, blue_yellow: float [n], means of R − G and of B − (R + G) / 2.
        confidence: float [n], the detector's score.
        embeddings: float32 [n, dim], unit rows.
        num_frames: frames that were looked at, also those without a box.
    """

    scene: str
    pair: np.ndarray
    is_later: np.ndarray
    height: np.ndarray
    width: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    red_green: np.ndarray
    blue_yellow: np.ndarray
    confidence: np.ndarray
    embeddings: np.ndarray
    num_frames: int

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.pair)

    def cut(self, num: int) -> list["Observations"]:
        """Return `num` consecutive stretches of the scene; those without a box are left out."""
        ends = np.linspace(0, self.pair.max(initial=-1) + 1, num + 1)
        cut = []
        for i, (start, end) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
            rows = (self.pair >= start) & (self.pair < end)
            columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
            cut.append(Observations(f"{self.scene}/{i + 1}", **columns, num_frames=round(self.num_frames / num)))
        return [stretch for stretch in cut if len(stretch)]


_COLUMNS = (
    "pair",
    "is_later",
    "height",
    "width",
    "brightness",
    "contrast",
    "red_green",
    "blue_yellow",
    "confidence",
    "embeddings",
)


def observe(
    sequence: Sequence, detections: pd.DataFrame, embedder: CropEmbedder, *, max_boxes: int = MAX_BOXES
) -> Observations:
    """Return the observations of a sequence's detections in pairs of frames that are spread over it.

    Args:
        detections: a detections table (frame, left, top, width, height, confidence).

    Raises:
        ReidopsError: a frame is missing or damaged, or no box is large enough.
    """
    pairs = _choose_pairs(sequence, len(detections) / sequence.length, max_boxes)
    of_frame = detections.groupby("frame").indices
    rows: list[dict[str, float]] = []
    crops: list[np.ndarray] = []
    for index, (earlier, later) in enumerate(pairs):
        for frame in (earlier, later):
            chosen = detections.iloc[of_frame.get(frame, [])]
            found, cut = _observe_frame(sequence, frame, chosen)
            rows += [{"pair": index, "is_later": frame == later, **row} for row in found]
            crops += cut
    if not rows:
        raise ReidopsError(f"{sequence.name}: no detection of {MIN_CROP_SIDE} px or more in {2 * len(pairs)} frames")
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Observations(
        sequence.name, **columns, embeddings=np.asarray(embedder.embed(crops), np.float32), num_frames=2 * len(pairs)
    )


def _choose_pairs(sequence: Sequence, boxes_per_frame: float, max_boxes: int) -> list[tuple[int, int]]:
    """Return 1-based frames, half a second apart, as many as hold about `max_boxes` boxes."""
    gap = min(max(1, round(sequence.frame_rate / 2)), sequence.length - 1)
    most = max(1, sequence.length // max(1, 2 * gap))
    num = int(np.clip(max_boxes / max(2 * boxes_per_frame, 1e-9), 1, most))
    starts = np.unique(np.linspace(1, sequence.length - gap, num).astype(int))
    return [(int(start), int(start) + gap) for start in starts]


def _observe_frame(
    sequence: Sequence, frame: int, detections: pd.DataFrame
) -> tuple[list[dict[str, float]], list[np.ndarray]]:
    """Return the figures and the crops of a frame's boxes that are large enough."""
    if not len(detections):
        return [], []
    boxes = detections[["left", "top", "width", "height"]].to_numpy(float)
    return observe_picture(read_frame(sequence, frame), boxes, detections["confidence"].to_numpy(float))


def observe_picture(
    picture: np.ndarray, boxes_ltwh: np.ndarray, confidences: np.ndarray
) -> tuple[list[dict[str, float]], list[np.ndarray]]:
    """Return the figures and the crops of the boxes [n, 4] of a picture, BGR uint8 [h, w, 3], that are large enough."""
    rows, crops = [], []
    for box_ltwh, confidence in zip(boxes_ltwh, confidences, strict=True):
        crop = cut_box(picture, box_ltwh)
        if min(crop.shape[:2]) >= MIN_CROP_SIDE:
            rows.append({"height": box_ltwh[3], "width": box_ltwh[2], **colours(crop), "confidence": confidence})
            crops.append(crop)
    return rows, crops


def colours(crop_bgr: np.ndarray) -> dict[str, float]:
    """Return brightness, contrast and the two opponent colours of a crop, BGR uint8 [h, w, 3]."""
    pixels = crop_bgr.reshape(-1, 3).astype(np.float32)
    luma = pixels @ _LUMA_BGR.astype(np.float32)
    blue, green, red = pixels.mean(axis=0)
    return {
        "brightness": float(luma.mean()),
        "contrast": float(luma.std()),
        "red_green": float(red - green),
        "blue_yellow": float(blue - (red + green) / 2),
    }
