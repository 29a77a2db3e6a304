"""Cut crops of people from MOT sequences, add ReID sets, and split both into train, val, query and gallery.

Reads:  data/raw/parts.csv, data/raw/inventory.json, the sets that they name; data/raw/leave_out.json if there is one
Writes: data/crops/ crops.tar, crops.parquet, meta/train_80.txt, meta/val_20.txt, report.json
"""

import logging
from pathlib import Path

from reidops.datasets.conversion import cut_and_pack, report_crops
from reidops.datasets.inventory import check_inventory
from reidops.datasets.label_lists import write_lists
from reidops.datasets.leave_out import noted_leave_out
from reidops.datasets.packing import CutRules
from reidops.datasets.planning import SplitRules, plan_crops
from reidops.files import whole_folder, write_json
from reidops.mot.crops import BoxRules
from reidops.parallel import one_connection
from reidops.parts import read_parts
from reidops.tables import CROPS, write_table
from stages import run_stage
from stages.params.convert import ConvertParams

log = logging.getLogger(__name__)


def convert(raw: Path, crops: Path, params: ConvertParams) -> None:
    """Make `crops` from the train and test rows of `raw/parts.csv`; without such rows it has no crop."""
    parts = read_parts(raw)
    check_inventory(parts, raw)
    named = noted_leave_out(raw)
    with one_connection(params.workers), whole_folder(crops) as folder:
        plan, left_out = plan_crops(parts, _box_rules(params), _split_rules(params), named, workers=params.workers)
        table = cut_and_pack(plan, folder / "crops.tar", _cut_rules(params), workers=params.workers)
        write_table(table, folder / "crops.parquet", CROPS)
        write_lists(table, folder / "meta", params.val_split)
        report = report_crops(table, left_out)
        write_json(report, folder / "report.json")
    sizes = ", ".join(f"{split} {count['crops']:,} of {count['people']:,}" for split, count in report["splits"].items())
    if (losses := str(left_out)) != "nothing":
        log.info("left out: %s", losses)
    for name, row in left_out.named.items():
        people, cut = (f"{sum(scene[unit] for scene in row['scenes'].values()):,}" for unit in ("people", "crops"))
        log.info("%s: %s people with %s crops do not train, because %s names them", name, people, cut, row["file"])
    if table.empty:
        log.info("download.train and download.test are []: no crops are cut")
        return
    log.info("cut %s crops of %s people (%s)", f"{len(table):,}", f"{report['num_people']:,}", sizes)


def _cut_rules(params: ConvertParams) -> CutRules:
    size = (params.size[0], params.size[1]) if params.size else None
    return CutRules(params.jpeg_quality, size)


def _box_rules(params: ConvertParams) -> BoxRules:
    return BoxRules(
        classes=tuple(params.classes),
        vis_threshold=params.vis_threshold,
        considered_only=params.considered_only,
        min_width=params.min_width,
        min_height=params.min_height,
        stride=params.stride,
    )


def _split_rules(params: ConvertParams) -> SplitRules:
    return SplitRules(
        val_split=params.val_split,
        val_by=params.val_by,
        min_per_person=params.min_per_person,
        max_per_person=params.max_per_person,
        gap=params.gap,
        queries_per_person=params.queries_per_person,
        test_vis_threshold=params.test_vis_threshold,
        seed=params.seed,
    )


if __name__ == "__main__":
    run_stage(convert)
