"""Bring the detections of the tracked sequences together, once for all models: public ones, files, or a detector's.

Reads:  data/raw (parts.csv; det.txt or frames of the `track` rows) Writes: data/detections/<sequence>.txt, in
MOTChallenge's det.txt format, of the tracked frames; nothing where nothing is tracked
"""

import logging
from pathlib import Path

from reidops.detection.settings import DetectorSettings
from reidops.files import whole_folder
from reidops.params import params_dataclass
from stages import run_stage

log = logging.getLogger(__name__)


@params_dataclass
class DetectParams:
    """Where detections come from."""

    # public = each sequence's own det.txt; a file of that format, or a folder with <sequence>.txt (relative to the
    # repository; DVC does not watch them); a detector of torchvision; or FILE.onnx.
    source: str
    detector: DetectorSettings  # of torchvision's and of ONNX files


def detect(raw: Path, detections: Path, params: DetectParams) -> None:
    """Write one file for each tracked sequence; a later stage leaves out what is unlikely."""
    from reidops.detection.sources import open_source
    from reidops.mot.sequences import read_sequence, write_detections
    from reidops.parts import find_tracked_parts

    parts = find_tracked_parts(raw)
    source = open_source(params.source, params.detector)
    counts = {}
    with whole_folder(detections) as folder:
        for part in parts:
            found = source.detections(read_sequence(part.folder), range(part.first_frame, part.last_frame + 1))
            write_detections(found, folder / f"{part.sequence}.txt")
            counts[part.sequence] = len(found)
    if not parts:
        log.warning("no row of %s plays the part `track`: there is nothing to detect in", raw / "parts.csv")
    log.info("%s detections of %d sequences, source: %s", f"{sum(counts.values()):,}", len(counts), params.source)


if __name__ == "__main__":
    run_stage(detect, DetectParams)
