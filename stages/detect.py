"""Write the detections of the tracked sequences: public detections, files, or those of a detector.

Reads:  data/raw (parts.csv; det.txt or frames of the `track` rows)
Writes: data/detections/<sequence>.txt of the tracked frames, in MOTChallenge's det.txt format; nothing if no sequence
        is tracked
"""

import logging
from pathlib import Path

from reidops.detection.sources import open_source
from reidops.files import whole_folder
from reidops.mot.box_units import check_boxes
from reidops.mot.sequences import read_sequence, write_detections
from reidops.parts import find_tracked_parts
from stages import run_stage
from stages.params.detect import DetectParams

log = logging.getLogger(__name__)


def detect(raw: Path, detections: Path, params: DetectParams) -> None:
    """Write one file for each tracked sequence; `embed` leaves out detections of low confidence."""
    parts = find_tracked_parts(raw)
    source = open_source(params.source, params.detector)
    counts = {}
    with whole_folder(detections) as folder:
        for part in parts:
            sequence = read_sequence(part.folder)
            found = source.detections(sequence, range(part.first_frame, part.last_frame + 1))
            check_boxes(found, sequence.width, sequence.height, f"detections of {part.sequence} ({params.source})")
            write_detections(found, folder / f"{part.sequence}.txt")
            counts[part.sequence] = len(found)
    for name in (name for name, number in counts.items() if not number):
        log.warning(
            "%s: no detection in its tracked frames, so that nothing is tracked; detect.source is %s; use a file with "
            "detections in these frames, or lower detect.detector.min_confidence",
            name,
            params.source,
        )
    if not parts:
        log.warning("%s: no row has the part `track`: no detections are written", raw / "parts.csv")
    log.info("%s detections of %d sequences, source: %s", f"{sum(counts.values()):,}", len(counts), params.source)


if __name__ == "__main__":
    run_stage(detect)
