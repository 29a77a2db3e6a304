"""Build the tables that check pids, tracklet numbers and camids: each must refer to exactly one person or camera."""

import pandas as pd


def persons_table(crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per pair of pid and folder: file, row (the first crop's), pid, folder, num_folders, num_pids.

    `num_folders` is the number of folders of the pid, `num_pids` the number of pids in the folder. Distractors
    (pid −1) may have several folders, so their `num_folders` is 1.
    """
    folders = [path.rpartition("/")[0] for path in crops["path"]]
    pairs = (
        crops[["file", "row", "pid"]].assign(folder=folders).drop_duplicates(["pid", "folder"]).reset_index(drop=True)
    )
    num_folders = pairs.groupby("pid")["folder"].transform("size").where(pairs["pid"] >= 0, 1)
    return pairs.assign(num_folders=num_folders, num_pids=pairs.groupby("folder")["pid"].transform("size"))


def numbers_table(crops: pd.DataFrame, file: str) -> pd.DataFrame:
    """Return one row: file, row (0), num_pids, and num_expected_pids (the largest pid + 1)."""
    pids = crops.loc[crops["pid"] >= 0, "pid"]
    expected = int(pids.max()) + 1 if len(pids) else 0
    return pd.DataFrame([{"file": file, "row": 0, "num_pids": pids.nunique(), "num_expected_pids": expected}])


def tracklets_table(crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per tracklet with the numbers of its pids, cameras and splits.

    The columns are file, row (the first crop's), dataset, tracklet, num_pids, num_cameras and num_splits.
    """
    grouped = crops[crops["tracklet"] >= 0].groupby(["dataset", "tracklet"], as_index=False)
    return grouped.agg(
        file=("file", "first"),
        row=("row", "first"),
        num_pids=("pid", "nunique"),
        num_cameras=("camid", "nunique"),
        num_splits=("split", "nunique"),
    )


def cameras_table(crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per camid: file, row (the first crop's), camid, num_scenes (videos or ReID sets that use it)."""
    pairs = crops.drop_duplicates(["camid", "dataset", "scene"])
    return pairs.groupby("camid", as_index=False).agg(
        file=("file", "first"), row=("row", "first"), num_scenes=("camid", "size")
    )
