"""Cut pure tracklets of people out of unlabelled video, for learning without labels.

Detections are joined by a tracker with strict settings, without appearance. Its tracks are split where people may have
been exchanged, and the visible and sharp boxes of each tracklet become crops. ReID sets give runs of frames. Without a
part of the role `adapt` there is nothing to do.

Reads:  data/raw (parts.csv, inventory.json; frames of the `adapt` rows, gt.txt for the report), data/detections/adapt
Writes: data/tracklets/ report.json; with tracklets also crops.tar, crops.parquet, tracklets.parquet, contact_sheet.jpg,
        and truth.parquet where there is ground truth, which only reports may read
"""

import logging
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.files import whole_folder, write_json
from reidops.parts import Part, adapt_parts, read_parts
from reidops.tables import CROPS, TRACKLET_TRUTH, TRACKLETS, write_table
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
        report = _cut(parts, raw, detections, folder, params)
    truth = report.get("truth", {})
    log.info(
        "cut %s tracklets with %s crops from %d cameras%s",
        f"{report['num_tracklets']:,}",
        f"{report['num_crops']:,}",
        report["num_cameras"],
        f", purity {truth['purity']:.3f} by ground truth" if truth.get("purity") is not None else "",
    )


def _cut(parts: list[Part], raw: Path, detections: Path, folder: Path, params: TrackletsParams) -> dict[str, Any]:
    # Imported here, because the default cuts no tracklets, and trackers take seconds to import.
    from reidops.datasets.inventory import check_inventory
    from reidops.datasets.leave_out import noted_leave_out
    from reidops.tracklets.building import Rules, build_tracklets, pack_tracklets
    from reidops.tracklets.contact_sheet import draw_contact_sheet
    from reidops.tracklets.report import name_fault, report_tracklets
    from reidops.tracklets.rules import CropRules, JoinRules

    used = {part.dataset for part in parts}
    check_inventory([part for part in read_parts(raw) if part.dataset in used], raw)
    rules = Rules(
        JoinRules(
            tracker=params.tracker,
            min_confidence=params.min_confidence,
            match_iou=params.match_iou,
            max_gap=params.max_gap,
            max_overlap=params.max_overlap,
            max_jump=params.max_jump,
            max_growth=params.max_growth,
            cut_threshold=params.cut_threshold,
            min_length=params.min_length,
        ),
        CropRules(params.crops_per_tracklet, params.min_height, params.min_visible, params.min_sharpness),
        params.run_gap,
        params.jpeg_quality,
    )
    built = build_tracklets(parts, detections / "adapt", rules, noted_leave_out(raw), workers=params.workers)
    faults = {cut.part.sequence: fault for cut in built.cuts if (fault := name_fault(cut))}
    if not len(built.tracklets):
        listed = "\n".join(f"  {name}: {fault}" for name, fault in faults.items())
        raise ReidopsError(f"tracklets: there is no tracklet to learn from:\n{listed}")
    for name, fault in faults.items():
        log.warning("%s: no tracklet: %s", name, fault)
    crops = pack_tracklets(built, folder / "crops.tar", rules, workers=params.workers)
    write_table(crops, folder / "crops.parquet", CROPS)
    write_table(built.tracklets, folder / "tracklets.parquet", TRACKLETS)
    if len(built.truth):
        write_table(built.truth, folder / "truth.parquet", TRACKLET_TRUTH)
    sheet = draw_contact_sheet(built.tracklets, crops, built.truth, folder / "crops.tar")
    sheet.save(folder / "contact_sheet.jpg", quality=88)
    report = report_tracklets(built, parts)
    write_json(report, folder / "report.json")
    return report


if __name__ == "__main__":
    run_stage(tracklets)
