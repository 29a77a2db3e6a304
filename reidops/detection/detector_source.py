"""A source of detections that runs a detector on the frames."""

import pandas as pd
import supervision as sv

from reidops.boxes.frames import read_frames
from reidops.detection.detectors import Detector, new_detector
from reidops.detection.settings import DetectorSettings
from reidops.mot.boxes import ltrb_to_ltwh
from reidops.mot.sequences import Sequence
from reidops.progress_bar import progress_bar
from reidops.tables import DETECTIONS


class DetectorSource:
    """A detector that runs once on every frame."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @classmethod
    def of_name(cls, name: str, settings: DetectorSettings) -> "DetectorSource":
        """Return a source that runs the detector `name`, see `new_detector`.

        Raises:
            ReidopsError: there is no detector of that name, or it cannot be loaded.
        """
        return cls(new_detector(name, settings))

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of `frames` in frame order, and in descending confidence within a frame.

        Raises:
            ReidopsError: a picture is missing or damaged, or no frame of a video can be read.
        """
        pictures = read_frames(sequence, frames)
        bar = progress_bar(pictures, desc=f"detect {sequence.name}", total=len(frames), unit="frames")
        tables = [detection_table(frame, self._detector.detect(picture)) for frame, picture in bar]
        return pd.concat(tables, ignore_index=True) if tables else detection_table(1, sv.Detections.empty())


def detection_table(frame: int, detections: sv.Detections) -> pd.DataFrame:
    """Return the detections of one frame as a table (tables.DETECTIONS)."""
    left, top, width, height = ltrb_to_ltwh(detections.xyxy).T
    columns = {
        "frame": frame,
        "left": left,
        "top": top,
        "width": width,
        "height": height,
        "confidence": detections.confidence,
    }
    return pd.DataFrame(columns)[list(DETECTIONS.columns)].astype(DETECTIONS.dtypes)
