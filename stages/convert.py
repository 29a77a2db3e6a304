"""Cut the people of MOT sequences out of their frames, join ReID sets, and divide both into train, val, query and
gallery.

Reads:  data/raw/parts.csv, data/raw/inventory.json, the sets that they name
Writes: data/crops/ crops.tar, crops.parquet, meta/train_80.txt, meta/val_20.txt, report.json
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from reidops.files import whole_folder, write_json
from reidops.params import params_dataclass
from reidops.parts import read_parts
from reidops.tables import CROPS, write_table
from stages import run_stage

if TYPE_CHECKING:
    from reidops.datasets.packing import CutRules
    from reidops.datasets.planning import SplitRules
    from reidops.mot.crops import BoxRules

log = logging.getLogger(__name__)

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


@params_dataclass
class ConvertParams:
    """mot2reid's options, and more; those marked MOT leave sets alone whose images are crops already.

    With `considered_only` false and `val_by` name the crops are mot2reid's byte for byte, under its names, and so are
    the lists, but for these, where mot2reid is at fault. A box wholly outside its frame is no crop (there: a strip of
    the frame's border, which counts as one of the person's). The tar holds the crops of the lists (there: of dropped
    people, too). Lists are in the order of their names (there: of the file system). The share val_split is exact
    (there: int() of a float, which may lack a person, or a percent in a list's name). Labels of val go on where those
    of train end (there: both begin at 0, so that in train.txt two people share one).
    """

    vis_threshold: Share = 0.3  # MOT: least visibility of a box
    test_vis_threshold: Share | None = None  # MOT: of a test box; null = vis_threshold
    classes: list[int] = Field(default=[1])  # MOT: 1 = pedestrian; mot2reid knows no other
    considered_only: bool = True  # MOT: heed the flag column, by which a set leaves boxes out; mot2reid ignores it
    min_width: Count = 1  # MOT: px; mot2reid has no least size
    min_height: Count = 1  # MOT: px
    stride: Count = 1  # MOT: frames; 1 = every frame; names of crops stay those of stride 1
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95  # MOT: 95 is mot2reid's
    # MOT: [height, width] px; null = as cut
    size: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    # MOT: crops; people with fewer do not train (mot2reid and val_by name: the share counts them)
    min_per_person: Count = 8
    # MOT: crops; a seeded sample of a person with more (mot2reid: of a listing in no order)
    max_per_person: Count = 1000
    # share of the training people who choose the checkpoint; names the lists
    val_split: Annotated[float, Field(ge=0, lt=1)] = 0.2
    # a share of each scene's people, or mot2reid's last folders by name
    val_by: Literal["identity", "name"] = "identity"
    gap: Count = 25  # MOT: frames between a person's queries and gallery crops
    queries_per_person: Count = 4  # MOT: at most
    seed: Annotated[int, Field(ge=0)] = 0
    workers: Count | None = None  # processes; null = one per core; the result is the same


def convert(raw: Path, crops: Path, params: ConvertParams) -> None:
    """Make `crops` from the train and test rows of `raw/parts.csv`."""
    from reidops.datasets.conversion import cut_and_pack, report_crops
    from reidops.datasets.filelists import write_lists
    from reidops.datasets.inventory import check_inventory
    from reidops.datasets.planning import plan_crops

    parts = read_parts(raw)
    check_inventory(parts, raw)
    plan, left_out = plan_crops(parts, _box_rules(params), _split_rules(params))
    with whole_folder(crops) as folder:
        table = cut_and_pack(plan, folder / "crops.tar", _cut_rules(params), workers=params.workers)
        write_table(table, folder / "crops.parquet", CROPS)
        write_lists(table, folder / "meta", params.val_split)
        report = report_crops(table, left_out)
        write_json(report, folder / "report.json")
    sizes = ", ".join(f"{split} {count['crops']:,} of {count['people']:,}" for split, count in report["splits"].items())
    log.info("cut %s crops of %s people (%s)", f"{len(table):,}", f"{report['num_people']:,}", sizes)


def _cut_rules(params: ConvertParams) -> "CutRules":
    from reidops.datasets.packing import CutRules

    return CutRules(params.jpeg_quality, tuple(params.size) if params.size else None)


def _box_rules(params: ConvertParams) -> "BoxRules":
    from reidops.mot.crops import BoxRules

    return BoxRules(
        classes=tuple(params.classes),
        vis_threshold=params.vis_threshold,
        considered_only=params.considered_only,
        min_width=params.min_width,
        min_height=params.min_height,
        stride=params.stride,
    )


def _split_rules(params: ConvertParams) -> "SplitRules":
    from reidops.datasets.planning import SplitRules

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
    run_stage(convert, ConvertParams)
