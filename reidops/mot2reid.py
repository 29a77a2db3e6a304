"""Convert MOTChallenge data to ReID data as mot2reid of mmtracking does: a folder per person and lists of labels."""

import logging
import tarfile
from dataclasses import dataclass
from pathlib import Path

from reidops.datasets.conversion import cut_and_pack
from reidops.datasets.label_lists import write_lists
from reidops.datasets.layouts import SetFolder, layout_of
from reidops.datasets.planning import SplitRules, plan_crops
from reidops.datasets.roles import Roles, assign_parts
from reidops.errors import ReidopsError
from reidops.files import whole_folder
from reidops.mot.crops import BoxRules

log = logging.getLogger(__name__)

_DETECTORS = ("FRCNN",)  # of MOT17, which has each video three times


@dataclass(frozen=True)
class Mot2ReidOptions:
    """The options of mot2reid with their defaults.

    Attributes:
        val_split: share of the people whose crops are listed in val_<percent>.txt.
        vis_threshold: least visibility of a box that becomes a crop.
        min_per_person, max_per_person: people with fewer crops are left out; of those with more, some are sampled.
    """

    val_split: float = 0.2
    vis_threshold: float = 0.3
    min_per_person: int = 8
    max_per_person: int = 1000
    workers: int | None = None


def mot2reid(source: Path, output: Path, options: Mot2ReidOptions = Mot2ReidOptions()) -> int:
    """Write `output`/imgs/<sequence>_<person>/<number>.jpg and `output`/meta/*.txt; return the number of crops.

    The crops and the lists are those of mot2reid; docs/deviations.md and `reidops params convert` name the exceptions.

    Raises:
        ReidopsError: `source` is not in MOTChallenge's layout, `output` exists, or too few people are left.
    """
    source, name = source.resolve(), source.resolve().name
    if layout_of(source) != "mot":
        raise ReidopsError(
            f"{source}: expected MOTChallenge's layout, train/<sequence>/{{img1, gt/gt.txt, seqinfo.ini}}; give the "
            "folder above train with -i"
        )
    if output.exists():
        raise ReidopsError(f"{output}: exists already; delete it, or give another folder with -o")
    roles = Roles(train=(name,), test=(), track=(), detectors=_DETECTORS)
    parts = assign_parts({name: SetFolder(name, "mot", source, str(source))}, roles)
    plan, _ = plan_crops(parts, _box_rules(options), _split_rules(options))
    with whole_folder(output) as folder:
        table = cut_and_pack(plan, folder / "crops.tar", workers=options.workers)
        with tarfile.open(folder / "crops.tar") as tar:
            tar.extractall(folder, filter="data")
        (folder / "crops.tar").unlink()
        write_lists(table, folder / "meta", options.val_split)
    if options.val_split and not (table["split"] == "val").any():
        log.warning(
            "%s: the val list is empty: the last %g%% of the people by folder name are its people, and each of them "
            "has fewer than %s crops; lower --min-per-person, or raise --val-split",
            output,
            100 * options.val_split,
            options.min_per_person,
        )
    log.info("cut %s crops of %s people to %s", f"{len(table):,}", f"{table['pid'].nunique():,}", output)
    return len(table)


def _box_rules(options: Mot2ReidOptions) -> BoxRules:
    return BoxRules(vis_threshold=options.vis_threshold, considered_only=False)


def _split_rules(options: Mot2ReidOptions) -> SplitRules:
    return SplitRules(
        val_split=options.val_split,
        val_by="name",
        min_per_person=options.min_per_person,
        max_per_person=options.max_per_person,
    )
