"""Write the detections of the tracked sequences and of unlabelled video: public ones, files, or those of a detector.

Reads:  data/raw (parts.csv; det.txt or frames of the `track` and `adapt` rows)
Writes: data/detections/<sequence>.txt of the tracked frames, in MOTChallenge's det.txt format, and
        adapt/<sequence>.txt of the frames that are used without labels; nothing if there is no such row
"""

import logging
from pathlib import Path

from reidops.detection.sources import Source, open_source
from reidops.files import whole_folder
from reidops.mot.box_units import check_boxes
from reidops.mot.sequences import read_sequence, write_detections
from reidops.parts import Part, adapt_parts, find_tracked_parts
from reidops.stage_times import keep_times
from reidops.step_times import StepTimes
from stages import run_stage
from stages.params.detect import DetectParams

log = logging.getLogger(__name__)

_ADAPT = "adapt"  # folder of the detections of unlabelled frames


def detect(raw: Path, detections: Path, params: DetectParams) -> None:
    """Write one file for each sequence; `embed` and `tracklets` leave out detections of low confidence."""
    tracked = find_tracked_parts(raw)
    unlabelled = [part for part in adapt_parts(raw) if part.layout == "mot"]
    source = open_source(params.source, params.detector, params.scale)
    counts, times = {}, StepTimes()
    with whole_folder(detections) as folder, times.measure("detect"):
        for part in tracked:
            counts[part.sequence] = _write(part, folder, source, params.source)
        for part in unlabelled:
            counts[f"{_ADAPT}/{part.sequence}"] = _write(part, folder / _ADAPT, source, params.source)
    keep_times(detections, times.ms_per_frame(sum(len(part.frames()) for part in [*tracked, *unlabelled])))
    for name in (name for name, number in counts.items() if not number):
        log.warning(
            "%s: no detection in its frames, so that nothing is tracked; detect.source is %s; use a file with "
            "detections in these frames, or lower detect.detector.min_confidence",
            name,
            params.source,
        )
    if not tracked:
        log.warning("%s: no row has the part `track`: no detections are written for tracking", raw / "parts.csv")
    log.info("%s detections of %d sequences, source: %s", f"{sum(counts.values()):,}", len(counts), params.source)


def _write(part: Part, folder: Path, source: Source, name: str) -> int:
    """Write the detections of a part and return their number."""
    sequence = read_sequence(part.folder)
    found = source.detections(sequence, part.frames())
    check_boxes(found, sequence.width, sequence.height, f"detections of {part.sequence} ({name})")
    folder.mkdir(exist_ok=True)
    write_detections(found, folder / f"{part.sequence}.txt")
    return len(found)


if __name__ == "__main__":
    run_stage(detect)
