"""Cut pure tracklets of people out of unlabelled video, for learning without labels.

Detections are joined by a tracker with strict settings, without appearance. Its tracks are split where people may have
been exchanged, and the visible and sharp boxes of each tracklet become crops. ReID sets give runs of frames. Without a
part of the role `adapt` there is nothing to do.

Reads:  data/raw (parts.csv, inventory.json; frames of the `adapt` rows, gt.txt for the report), data/detections/adapt
Writes: data/tracklets/ report.json; with tracklets also crops.tar, crops.parquet, tracklets.parquet, contact_sheet.jpg,
        and truth.parquet where there is ground truth, which only reports may read
"""

import logging
from dataclasses import fields
from pathlib import Path

from reidops.files import whole_folder, write_json
from reidops.parts import adapt_parts
from reidops.tracklets.rules import CropRules, JoinRules, Rules
from stages import run_stage
from stages.params.tracklets import TrackletsParams

log = logging.getLogger(__name__)

_NOTHING = {"num_tracklets": 0, "num_crops": 0, "transductive": False, "sequences": {}}


def tracklets(raw: Path, detections: Path, tracklets: Path, params: TrackletsParams) -> None:
    """Write the tracklets of the parts with the role `adapt`.

    Raises:
        ReidopsError: frames or detections cannot be read, the videos have no tracklet, or the disk is full.
    """
    parts = adapt_parts(raw)
    with whole_folder(tracklets) as folder:
        if not parts:
            write_json(_NOTHING, folder / "report.json")
            log.info("no part has the role adapt (download.adapt, download.videos): no tracklets are cut")
            return
        # Imported here, because the default cuts no tracklets, and trackers take seconds to import.
        from reidops.tracklets.writing import write_tracklets

        report = write_tracklets(parts, raw, detections / "adapt", folder, _rules(params), workers=params.workers)
    truth = report.get("truth", {})
    log.info(
        "cut %s tracklets with %s crops from %d cameras%s",
        f"{report['num_tracklets']:,}",
        f"{report['num_crops']:,}",
        report["num_cameras"],
        f", purity {truth['purity']:.3f} by ground truth" if truth.get("purity") is not None else "",
    )


def _rules(params: TrackletsParams) -> Rules:
    return Rules(
        JoinRules(**{field.name: getattr(params, field.name) for field in fields(JoinRules)}),
        CropRules(params.crops_per_tracklet, params.min_height, params.min_visible, params.min_sharpness),
        params.run_gap,
        params.jpeg_quality,
    )


if __name__ == "__main__":
    run_stage(tracklets)
