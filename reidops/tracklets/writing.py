"""Write the tracklets of all parts: tables, crops, a contact sheet and the report."""

import logging
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any

from reidops.datasets.inventory import check_inventory
from reidops.datasets.leave_out import noted_leave_out
from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.parts import Part, read_parts
from reidops.tables import CROPS, TRACKLET_TRUTH, TRACKLETS, write_table
from reidops.tracklets.building import Built, build_tracklets, pack_tracklets
from reidops.tracklets.contact_sheet import draw_contact_sheet
from reidops.tracklets.report import name_fault, report_tracklets
from reidops.tracklets.rules import Rules

log = logging.getLogger(__name__)


def write_tracklets(
    parts: Rows[Part], raw: Path, detections: Path, folder: Path, rules: Rules, *, workers: int | None = None
) -> dict[str, Any]:
    """Write the outputs of the stage `tracklets` to the empty `folder` and return the report.

    Args:
        parts: the parts with the role `adapt`.
        detections: folder of the detections of these parts, data/detections/adapt.

    Raises:
        ReidopsError: frames or detections cannot be read, the videos have no tracklet, or the disk is full.
    """
    used = {part.dataset for part in parts}
    check_inventory([part for part in read_parts(raw) if part.dataset in used], raw)
    built = build_tracklets(parts, detections, rules, noted_leave_out(raw), workers=workers)
    _check_found(built)
    _write_tables(built, folder, rules, workers)
    report = report_tracklets(built, parts)
    write_json(report, folder / "report.json")
    return report


def _check_found(built: Built) -> None:
    """Log the sequences without a tracklet; raise if no part has one."""
    faults = {cut.part.sequence: fault for cut in built.cuts if (fault := name_fault(cut))}
    if not len(built.tracklets):
        listed = "\n".join(f"  {name}: {fault}" for name, fault in faults.items())
        raise ReidopsError(f"tracklets: there is no tracklet to learn from:\n{listed}")
    for name, fault in faults.items():
        log.warning("%s: no tracklet: %s", name, fault)


def _write_tables(built: Built, folder: Path, rules: Rules, workers: int | None) -> None:
    """Write the crops, the tables and the contact sheet."""
    crops = pack_tracklets(built, folder / "crops.tar", rules, workers=workers)
    write_table(crops, folder / "crops.parquet", CROPS)
    write_table(built.tracklets, folder / "tracklets.parquet", TRACKLETS)
    if len(built.truth):
        write_table(built.truth, folder / "truth.parquet", TRACKLET_TRUTH)
    sheet = draw_contact_sheet(built.tracklets, crops, built.truth, folder / "crops.tar")
    sheet.save(folder / "contact_sheet.jpg", quality=88)
