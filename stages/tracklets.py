"""Cut pure tracklets of people out of unlabelled video, for learning without labels.

Without a part of the role `adapt` there is nothing to do.

Reads:  data/raw (parts.csv; frames of the `adapt` rows), data/detections
Writes: data/tracklets/ report.json
"""

import logging
from pathlib import Path

from reidops.files import whole_folder, write_json
from reidops.parts import read_parts
from stages import run_stage
from stages.params.tracklets import TrackletsParams

log = logging.getLogger(__name__)


def tracklets(raw: Path, detections: Path, tracklets: Path, params: TrackletsParams) -> None:
    """Write the tracklets of the parts with the role `adapt`."""
    parts = [part for part in read_parts(raw) if part.part == "adapt"]
    with whole_folder(tracklets) as folder:
        if not parts:
            write_json(
                {"num_tracklets": 0, "num_crops": 0, "transductive": False, "sequences": {}}, folder / "report.json"
            )
            log.info("no part has the role adapt (download.adapt, download.videos): no tracklets are cut")
            return


if __name__ == "__main__":
    run_stage(tracklets)
