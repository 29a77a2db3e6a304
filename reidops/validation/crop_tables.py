"""Build the tables of the crops that are validated: decoded crops, people, splits, test sets, queries, labels.

Every table has the columns `file` and `row`: the place of each row in the files of `convert`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from reidops.progress_bar import progress_bar
from reidops.validation.crops_tar import opened
from reidops.validation.image_faults import decode_grey, picture_size
from reidops.validation.near_duplicates import difference_hash

SIDES = {"train": "train", "val": "val", "query": "test", "gallery": "test"}


def decode_crops(crops: pd.DataFrame, tar: Path, rows: np.ndarray) -> pd.DataFrame:
    """Decode crops and return one row for each.

    The columns are file, row, path, width, height, fault, decoded_width, decoded_height [px] and dhash (uint64). A crop
    that cannot be decoded has NaN sizes and hash 0.

    Args:
        rows: positions in `crops` whose place in the tar has no fault.
    """
    sample = crops.iloc[rows]
    with opened(tar) as content:
        pictures = (decode_grey(content.read(*place)) for place in zip(sample["offset"], sample["size"], strict=True))
        found = [
            (fault, *picture_size(picture), difference_hash(picture) if picture is not None else 0)
            for fault, picture in progress_bar(pictures, desc="decode crops", total=len(sample), unit="crops")
        ]
    faults, widths, heights, hashes = list(zip(*found, strict=True)) or [(), (), (), ()]
    return sample[["file", "row", "path", "width", "height"]].assign(
        fault=pd.Series(faults, index=sample.index, dtype="str"),
        decoded_width=np.array(widths, dtype=np.float64),
        decoded_height=np.array(heights, dtype=np.float64),
        dhash=np.array(hashes, dtype=np.uint64),
    )


def people_table(crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per person and side (train, val, test): file, row (the first crop's), pid, side, num_crops."""
    people = crops[crops["pid"] >= 0].assign(side=lambda table: table["split"].map(SIDES))
    grouped = people.groupby(["pid", "side"], as_index=False)
    return grouped.agg(file=("file", "first"), row=("row", "first"), num_crops=("row", "size"))


def splits_table(crops: pd.DataFrame, file: str) -> pd.DataFrame:
    """Return one row per split: file, row (0), split, num_crops, num_people."""
    known = crops[crops["pid"] >= 0]
    return pd.DataFrame(
        [
            {
                "file": file,
                "row": 0,
                "split": split,
                "num_crops": int((crops["split"] == split).sum()),
                "num_people": int(known.loc[known["split"] == split, "pid"].nunique()),
            }
            for split in SIDES
        ]
    )


def queries_table(crops: pd.DataFrame, published: set[str]) -> pd.DataFrame:
    """Return one row per query: file, row, dataset, pid, camid, by_camera, published, num_matches, num_in_frame.

    `by_camera` is true if the ranking of the set leaves out the query's own camera. As in evaluation, it does so if
    most queries of the set have a match in another camera. `num_matches` counts the matches in the gallery under that
    rule, `num_in_frame` the gallery crops of the query's person in the query's own frame.

    Args:
        published: data sets with published queries; in the others `convert` chooses queries by time.
    """
    queries = crops[crops["split"] == "query"]
    gallery = crops[(crops["split"] == "gallery") & (crops["pid"] >= 0)]
    same_pid = _count(queries, gallery, ["dataset", "pid"])
    elsewhere = same_pid - _count(queries, gallery, ["dataset", "pid", "camid"])
    by_camera = pd.Series(elsewhere > 0).groupby(queries["dataset"].to_numpy()).transform("mean").to_numpy() > 0.5
    return queries[["file", "row", "dataset", "pid", "camid"]].assign(
        by_camera=by_camera,
        published=queries["dataset"].isin(published),
        num_matches=np.where(by_camera, elsewhere, same_pid),
        num_in_frame=_count(queries, gallery, ["dataset", "scene", "pid", "frame"]),
    )


def _count(queries: pd.DataFrame, gallery: pd.DataFrame, keys: list[str]) -> np.ndarray:
    """Return the number of gallery rows that equal each query in these columns, int64 [num_query]."""
    sizes = gallery.groupby(keys).size().rename("num").reset_index()
    return queries[keys].merge(sizes, on=keys, how="left")["num"].fillna(0).to_numpy(dtype=np.int64)


def test_sets_table(queries: pd.DataFrame, crops: pd.DataFrame, datasets: list[str], file: str) -> pd.DataFrame:
    """Return one row per test data set: file, row (0), dataset, num_query, num_gallery, num_matched_queries."""
    gallery = crops[crops["split"] == "gallery"]
    return pd.DataFrame(
        [
            {
                "file": file,
                "row": 0,
                "dataset": dataset,
                "num_query": int((queries["dataset"] == dataset).sum()),
                "num_gallery": int((gallery["dataset"] == dataset).sum()),
                "num_matched_queries": int(((queries["dataset"] == dataset) & (queries["num_matches"] > 0)).sum()),
            }
            for dataset in datasets
        ],
        columns=["file", "row", "dataset", "num_query", "num_gallery", "num_matched_queries"],
    )


def labels_table(lists: list[tuple[Path, str]], crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per line of the label files: file, row (line), path, label, pid, split, listed_in.

    A path that is not in the crops table has pid −1 and split "". A label that is not a number is −1.

    Args:
        lists: each label file with the split that it lists (train, val).
    """
    lines = [
        (str(file), number, *_label_line(line), listed_in)
        for file, listed_in in lists
        for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1)
        if line.strip()
    ]
    table = pd.DataFrame(lines, columns=["file", "row", "path", "label", "listed_in"])
    known = crops[["path", "pid", "split"]].assign(path=crops["path"].str.removeprefix("imgs/")).drop_duplicates("path")
    merged = table.assign(path=table["path"].str.removeprefix("imgs/")).merge(known, on="path", how="left")
    return merged.assign(pid=merged["pid"].fillna(-1).astype("int64"), split=merged["split"].fillna(""))


def _label_line(line: str) -> tuple[str, int]:
    path, _, label = line.rpartition(" ")
    return path, int(label) if label.isdecimal() else -1


def with_label_faults(labels: pd.DataFrame) -> pd.DataFrame:
    """Add `fault`: unknown path, missing label, label of several people, or person with several labels; "" for none."""
    pids_per_label = labels.groupby("label")["pid"].transform("nunique")
    labels_per_pid = labels.groupby("pid")["label"].transform("nunique")
    faults = {
        "the path is not in the crops table": labels["pid"] < 0,
        "the line does not end in a label": labels["label"] < 0,
        "several people have this label": pids_per_label > 1,
        "the person has several labels": labels_per_pid > 1,
    }
    fault = np.select(list(faults.values()), list(faults), default="")
    return labels.assign(fault=pd.Series(fault, index=labels.index, dtype="str"))


def label_files_table(labels: pd.DataFrame, crops: pd.DataFrame, lists: list[tuple[Path, str]]) -> pd.DataFrame:
    """Return one row per label file, with the counts to compare.

    Compared are num_lines with num_crops (of the split), num_labels with num_expected_labels (last − first + 1), and
    first_label with expected_first_label. The latter is None for val, whose labels continue after those of train.
    """
    records = []
    for file, split in lists:
        own = labels.loc[labels["file"] == str(file), "label"]
        records.append(
            {
                "file": str(file),
                "row": 0,
                "num_lines": len(own),
                "num_crops": int((crops["split"] == split).sum()),
                "num_labels": own.nunique(),
                "num_expected_labels": int(own.max() - own.min() + 1) if len(own) else 0,
                "first_label": int(own.min()) if len(own) else 0,
                "expected_first_label": 0 if split == "train" else None,
            }
        )
    return pd.DataFrame(records)
