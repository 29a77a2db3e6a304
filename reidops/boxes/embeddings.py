"""Detections of a sequence with their embeddings, one file per sequence and model."""

from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from reidops.boxes.box_crops import MIN_CROP_SIDE, cut_box, read_frame
from reidops.boxes.box_embedding import CropEmbedder, embed_sequence_boxes
from reidops.boxes.identities import NO_PERSON
from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.mot.boxes import ltwh_to_ltrb, unsuppressed
from reidops.mot.sequences import PEDESTRIAN, Sequence
from reidops.parts import Part

__all__ = ["MIN_CROP_SIDE", "cut_box", "read_frame"]  # re-exported for drawing

ANNOTATIONS = "annotations"  # folder of the embedded ground truth, below that of the detections
_ARRAYS = ("frame", "box_ltwh", "confidence", "embedding", "weights_sha256")


@dataclass(frozen=True)
class EmbeddedDetections:
    """The detections of one sequence, ordered by frame.

    Attributes:
        frame: int32 [n], 1-based.
        box_ltwh: float32 [n, 4], px, 0-based.
        confidence: float32 [n], the detector's score, no fixed range.
        embeddings: float32 [n, dim], unit rows; zeros for a box that is too small or outside the frame. float16 in the
            file.
        weights_sha256: of the model that made them.
        track_id: int32 [n], identities of ground truth boxes; None for detections.
    """

    frame: np.ndarray
    box_ltwh: np.ndarray
    confidence: np.ndarray
    embeddings: np.ndarray
    weights_sha256: str
    track_id: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def people(self) -> np.ndarray:
        """Return `track_id` of ground truth boxes.

        Raises:
            ReidopsError: these are detections, which have no identities.
        """
        if self.track_id is None:
            raise ReidopsError("the file has no track_id; make it again with `dvc repro -f embed`")
        return self.track_id

    def keep(self, rows: np.ndarray) -> "EmbeddedDetections":
        """Return some of the rows, by index or mask."""
        ids = None if self.track_id is None else self.track_id[rows]
        return EmbeddedDetections(
            self.frame[rows],
            self.box_ltwh[rows],
            self.confidence[rows],
            self.embeddings[rows],
            self.weights_sha256,
            ids,
        )

    def rows_by_frame(self) -> dict[int, list[int]]:
        """Return the rows of each frame that has any."""
        order = np.argsort(self.frame, kind="stable").tolist()
        return {int(frame): list(rows) for frame, rows in groupby(order, key=lambda row: self.frame[row])}


def first_of_scenes(parts: list[Part]) -> list[Part]:
    """Return the first part of each scene's frames: its copies for other detectors have the same people."""
    first = {(part.dataset, part.scene, part.first_frame, part.last_frame): part for part in reversed(parts)}
    return [part for part in parts if part in first.values()]


def confidence_floor(setting: float | dict[str, float] | None, detector: str) -> float | None:
    """Return the least confidence for a detector; scales differ: DPM's is about −0.5 … 3, FRCNN's and SDP's 0 … 1.

    Args:
        setting: one number for all; or one for each detector, none for those not named; None = none.
        detector: DPM, FRCNN, SDP, or empty.
    """
    return setting.get(detector) if isinstance(setting, dict) else setting


def choose_detections(
    detections: pd.DataFrame, *, min_confidence: float | None = None, nms: float | None = None
) -> pd.DataFrame:
    """Return the detections to embed, ordered by frame.

    Args:
        min_confidence: least confidence, in the detector's own scale; None = all.
        nms: of two boxes of a frame with a larger IoU only the one with the higher confidence is kept; None = both.
    """
    chosen = detections.sort_values("frame", kind="stable").reset_index(drop=True)
    if min_confidence is not None:
        chosen = chosen[chosen["confidence"] >= min_confidence]
    if nms is not None:
        box_ltrb, confidence = (
            ltwh_to_ltrb(chosen[["left", "top", "width", "height"]].to_numpy()),
            chosen["confidence"].to_numpy(),
        )
        of_frames = chosen.groupby("frame").indices.values()
        kept = [rows[unsuppressed(box_ltrb[rows], confidence[rows], nms)] for rows in of_frames]
        chosen = chosen.iloc[np.sort(np.concatenate([np.empty(0, int), *kept]))]
    return chosen.reset_index(drop=True)


def embed_sequence(
    sequence: Sequence, detections: pd.DataFrame, embedder: CropEmbedder, *, batch_size: int = 64
) -> EmbeddedDetections:
    """Return the detections with their embeddings, ordered by frame; each frame is decoded once.

    Args:
        detections: a detections table; with a column `track_id` (ground truth) the result has it, too.

    Raises:
        ReidopsError: a frame with detections is missing or cannot be decoded.
    """
    table = detections.sort_values("frame", kind="stable")
    box_ltwh = table[["left", "top", "width", "height"]].to_numpy(np.float32)
    frames = table["frame"].to_numpy(np.int32)
    embeddings = embed_sequence_boxes(sequence, frames, box_ltwh, embedder, batch_size=batch_size)
    confidence = table["confidence"].to_numpy(np.float32)
    return EmbeddedDetections(frames, box_ltwh, confidence, embeddings, embedder.weights_sha256, _track_ids(table))


def embed_with_people(
    sequence: Sequence,
    detections: pd.DataFrame,
    annotations: pd.DataFrame,
    embedder: CropEmbedder,
    *,
    batch_size: int = 64,
) -> tuple[EmbeddedDetections, EmbeddedDetections]:
    """Return the embedded detections and considered pedestrians, embedded in one pass over the frames."""
    people = annotations[(annotations["class_id"] == PEDESTRIAN) & annotations["considered"]]
    columns = ["frame", "left", "top", "width", "height", "confidence", "track_id"]
    table = pd.concat(
        [detections.assign(track_id=NO_PERSON)[columns], people.assign(confidence=1.0)[columns]], ignore_index=True
    ).sort_values("frame", kind="stable")  # the order of `embed_sequence`
    both = embed_sequence(sequence, table, embedder, batch_size=batch_size)
    of_people = table["track_id"].to_numpy() != NO_PERSON
    return replace(both.keep(~of_people), track_id=None), both.keep(of_people)


def _track_ids(table: pd.DataFrame) -> np.ndarray | None:
    return table["track_id"].to_numpy(np.int32) if "track_id" in table else None


def write_embeddings(detected: EmbeddedDetections, path: Path) -> None:
    """Write one sequence's file atomically."""
    ids = {} if detected.track_id is None else {"track_id": detected.track_id.astype(np.int32)}
    with whole_file(path) as temporary, open(temporary, "wb") as stream:
        np.savez(
            stream,
            allow_pickle=False,
            **ids,
            frame=detected.frame.astype(np.int32),
            box_ltwh=detected.box_ltwh.astype(np.float32),
            confidence=detected.confidence.astype(np.float32),
            embedding=detected.embeddings.astype(np.float16),
            weights_sha256=np.array(detected.weights_sha256),
        )


def read_embeddings(path: Path, weights_sha256: str | None = None) -> EmbeddedDetections:
    """Return one sequence's detections; rows of the half-precision file are normalized again.

    Args:
        weights_sha256: the model that must have made them; None = any.

    Raises:
        ReidopsError: the file is missing, of another kind, or was made by another model.
    """
    arrays = _read_arrays(path)
    _check_arrays(arrays, path)
    detected = EmbeddedDetections(
        arrays["frame"],
        arrays["box_ltwh"],
        arrays["confidence"],
        _unit(arrays["embedding"]),
        str(arrays["weights_sha256"]),
        arrays.get("track_id"),
    )
    if weights_sha256 is not None and detected.weights_sha256 != weights_sha256:
        raise ReidopsError(
            f"{path}: made by the model {detected.weights_sha256[:12]}, expected {weights_sha256[:12]}, whose gates "
            f"are calibrated;"
            " run `dvc repro embed evaluate_reid`"
        )
    return detected


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {
                name: archive[name] for name in (*_ARRAYS, *(name for name in ("track_id",) if name in archive.files))
            }
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; the stage that writes it has not run (`dvc repro embed`)") from None
    except (KeyError, ValueError, EOFError, OSError, BadZipFile) as error:
        raise ReidopsError(
            f"{path}: is not a file of embeddings ({error}); make it again with `dvc repro -f embed`"
        ) from None


def _check_arrays(arrays: dict[str, np.ndarray], path: Path) -> None:
    of_boxes = [name for name in arrays if name != "weights_sha256"]
    lengths = {name: len(arrays[name]) for name in of_boxes}
    if len(set(lengths.values())) > 1:
        raise ReidopsError(f"{path}: arrays of unequal length {lengths}; make the file again with `dvc repro -f embed`")
    for name in of_boxes:
        if not np.isfinite(arrays[name]).all():
            raise ReidopsError(
                f"{path}: array {name} holds NaN or infinity; make the file again with `dvc repro -f embed`"
            )


def _unit(embeddings: np.ndarray) -> np.ndarray:
    """Return rows of length 1, float32; rows of zeros stay."""
    rows = embeddings.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
