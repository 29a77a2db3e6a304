"""Combine tables and suites: for the raw sequences, for the crops, and for the sides of the split."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import repository_root
from reidops.mot.sequences import read_sequence
from reidops.parts import Part
from reidops.tables import CROPS, read_table
from reidops.validation import (
    crop_suites,
    crop_tables,
    crops_tar,
    identity_suites,
    identity_tables,
    leaks,
    published_sets,
    sequence_suites,
)
from reidops.validation.expectations import Inspection
from reidops.validation.frame_copies import frame_copies_table
from reidops.validation.frame_files import repeated_frames
from reidops.validation.sequence_tables import SequenceJob, evenly, inspect_sequences
from reidops.validation.unlabelled_crops import unlabelled_copies


@dataclass(frozen=True)
class Inspected:
    """The inspections of one source, its counts, and the tables for pictures and lists."""

    inspections: list[Inspection] = field(repr=False)
    counts: dict[str, Any]
    tables: dict[str, pd.DataFrame] = field(repr=False, default_factory=dict)


def inspect_raw(
    parts: Rows[Part], raw: Path, *, image_sample: int, max_outside_share: float, frame_sample: int, max_bits: int
) -> Inspected:
    """Read every MOT sequence of the parts and return the tables with their suites.

    Args:
        image_sample: frames to decode per sequence; 0 = none, -1 = all.
        frame_sample, max_bits: see `frame_copies.frame_copies_table`.

    Raises:
        ReidopsError: a seqinfo.ini is missing or invalid. The suites report all other faults.
    """
    tracked = {part.folder for part in parts if part.part == "track"}
    needing = {part.folder for part in parts if part.part != "adapt"}
    folders = sorted({part.folder for part in parts if part.layout == "mot"})
    jobs = [
        SequenceJob(read_sequence(folder), shown(folder, raw), folder in tracked, image_sample, folder in needing)
        for folder in folders
    ]
    found = inspect_sequences(jobs)
    tables = {
        name: _joined([getattr(one, name) for one in found])
        for name in ("annotations", "detections", "frames", "decoded")
    }
    sequences = pd.DataFrame([one.record for one in found])
    inspections = [
        Inspection("sequences", sequences, sequence_suites.sequences_suite(), row_word=""),
        Inspection(
            "annotations", tables["annotations"], sequence_suites.annotations_suite(max_outside_share), row_word="line"
        ),
        Inspection("detections", tables["detections"], sequence_suites.detections_suite(), row_word="line"),
        Inspection("frames", tables["frames"], sequence_suites.frames_suite(), row_word=""),
        Inspection("decoded frames", tables["decoded"], sequence_suites.decoded_suite(), row_word=""),
    ]
    copies = frame_copies_table(
        parts, [shown(part.folder, raw) for part in parts], sample=frame_sample, max_bits=max_bits
    )
    counts = {f"num_{name}": len(inspection.table) for name, inspection in zip(_RAW_COUNTS, inspections, strict=True)}
    inspections.append(Inspection("frames on both sides", copies, crop_suites.frame_copies_suite(), row_word=""))
    return Inspected([inspection for inspection in inspections if len(inspection.table)], counts)


_RAW_COUNTS = ("sequences", "annotations", "detections", "frames", "decoded_frames")


def shown(folder: Path, raw: Path) -> str:
    """Return the path of a folder for messages: relative to the repository if it is inside, so equal on all machines.

    Folders in `raw` keep the path that `raw` was given as.
    """
    if folder.is_relative_to(raw):
        return folder.as_posix()
    root = repository_root()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.as_posix()


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def read_crops(folder: Path) -> pd.DataFrame:
    """Return crops.parquet with the columns file, row (0-based), fault and digest (`crops_tar.with_tar_faults`).

    Raises:
        ReidopsError: the table breaks its contract, or crops.tar is missing.
    """
    path, tar = folder / "crops.parquet", folder / "crops.tar"
    crops = read_table(path, CROPS)
    if not tar.is_file():
        raise ReidopsError(f"{tar}: no such file; run the stage that writes it (`dvc repro convert`)")
    return crops_tar.with_tar_faults(crops.assign(file=path.as_posix(), row=np.arange(len(crops))), tar)


def inspect_crops(
    crops: pd.DataFrame,
    folder: Path,
    parts: Rows[Part],
    *,
    crop_sample: int,
    min_people: int,
    min_crops_per_person: int,
) -> Inspected:
    """Return the tables of the crops with their suites; `crop_sample` crops, spread evenly, are decoded (−1 = all)."""
    file = (folder / "crops.parquet").as_posix()
    whole = np.flatnonzero(crops["fault"] == "")
    decoded = crop_tables.decode_crops(crops, folder / "crops.tar", whole[evenly(len(whole), crop_sample)])
    people, splits = crop_tables.people_table(crops), crop_tables.splits_table(crops, file)
    train_and_val = people[people["side"] != "test"]
    trained = splits if any(part.part == "train" for part in parts) else splits.iloc[:0]  # download.train may be []
    inspections = [
        Inspection("crops", leaks.with_frame_leaks(crops, parts), crop_suites.crops_suite()),
        Inspection("crops of known people", crops[crops["split"] != "gallery"], crop_suites.learnt_crops_suite()),
        Inspection("decoded crops", decoded.drop(columns="dhash"), crop_suites.decoded_crops_suite()),
        Inspection("people", train_and_val, crop_suites.people_suite(min_crops_per_person), also=("pid",)),
        Inspection(
            "train split", trained[trained["split"] == "train"], crop_suites.training_suite(min_people), row_word=""
        ),
        Inspection("val split", trained[trained["split"] == "val"], crop_suites.held_out_suite(), row_word=""),
        *_inspect_identities(crops, file),
        *_inspect_queries(crops, parts, file),
        *_inspect_labels(crops, folder),
        Inspection(
            "published sets",
            published_sets.published_table(crops, parts, file),
            published_sets.published_suite(),
            row_word="",
        ),
    ]
    counts = {
        f"num_{row.split}_{what}": getattr(row, f"num_{what}")
        for row in splits.itertuples()
        for what in ("crops", "people")
    }
    tables = {"decoded": decoded, "people": people}
    wanted = any(part.part in ("train", "test") for part in parts)
    return Inspected(
        _with_rows(inspections, crops_wanted=wanted),
        {**counts, "num_crops": len(crops), "num_decoded_crops": len(decoded)},
        tables,
    )


def _with_rows(inspections: list[Inspection], *, crops_wanted: bool = True) -> list[Inspection]:
    """Leave out empty tables, except a crops table that must not be empty."""
    return [one for one in inspections if len(one.table) or (one.name == "crops" and crops_wanted)]


def _inspect_identities(crops: pd.DataFrame, file: str) -> list[Inspection]:
    return [
        Inspection(
            "pids", identity_tables.persons_table(crops), identity_suites.persons_suite(), also=("pid", "folder")
        ),
        Inspection(
            "all pids", identity_tables.numbers_table(crops, file), identity_suites.numbers_suite(), row_word=""
        ),
        Inspection(
            "tracklets",
            identity_tables.tracklets_table(crops),
            identity_suites.tracklets_suite(),
            also=("dataset", "tracklet"),
        ),
        Inspection("cameras", identity_tables.cameras_table(crops), identity_suites.cameras_suite(), also=("camid",)),
    ]


def _inspect_queries(crops: pd.DataFrame, parts: Rows[Part], file: str) -> list[Inspection]:
    published = {part.dataset for part in parts if part.layout != "mot"}
    tested = sorted({part.dataset for part in parts if part.part == "test"})
    queries = crop_tables.queries_table(crops, published)
    test_sets = crop_tables.test_sets_table(queries, crops, tested, file)
    chosen = queries[~queries["published"]]
    return [
        Inspection("test sets", test_sets, crop_suites.test_sets_suite(), row_word="", also=("dataset",)),
        Inspection(
            "published queries", queries[queries["published"]], crop_suites.published_queries_suite(), also=("pid",)
        ),
        Inspection("queries by time", chosen, crop_suites.timed_queries_suite(), also=("pid",)),
    ]


def _inspect_labels(crops: pd.DataFrame, folder: Path) -> list[Inspection]:
    lists = [(path, split) for split in ("train", "val") for path in sorted((folder / "meta").glob(f"{split}_*.txt"))]
    labels = crop_tables.with_label_faults(crop_tables.labels_table(lists, crops))
    files = crop_tables.label_files_table(labels, crops, lists)
    return [
        Inspection("label lines", labels, crop_suites.labels_suite(), row_word="line"),
        Inspection("label files", files, crop_suites.label_files_suite(), row_word=""),
    ]


def inspect_sides(
    crops: pd.DataFrame, inspected: Inspected, parts: Rows[Part], raw: Path, *, max_bits: int, max_share: float
) -> Inspected:
    """Return the tables that compare the sides of the split, with their suites.

    Args:
        inspected: the result of `inspect_crops`.
    """
    decoded = inspected.tables["decoded"]
    pairs = leaks.near_duplicate_pairs(decoded, crops, max_bits)
    sides = leaks.sides_table(inspected.tables["people"], crops, leaks.halved_scenes(parts))
    scenes = leaks.scenes_table(parts, (raw / "parts.csv").as_posix())
    twins = leaks.with_twins(decoded, pairs).drop(columns="dhash")
    inspections = [
        Inspection("videos on both sides", scenes, crop_suites.scenes_suite(), also=("sequence",)),
        Inspection("people on both sides", sides, crop_suites.sides_suite(), also=("pid",)),
        Inspection(
            "crops on both sides",
            leaks.copies_table(crops, repeated_frames(parts)),
            [*crop_suites.copies_suite(), *crop_suites.repeated_crops_suite()],
        ),
        Inspection("unlabelled crops", unlabelled_copies(parts, crops), crop_suites.copies_suite(), row_word=""),
        Inspection("near-duplicates", twins, crop_suites.near_duplicates_suite(max_share)),
    ]
    counts = {"num_near_duplicates": len(pairs), **leaks.count_videos(scenes, crops)}
    return Inspected(_with_rows(inspections), counts, {"near_duplicates": pairs})
