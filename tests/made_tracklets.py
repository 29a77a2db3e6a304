"""Write small folders of tracklets without labels for tests, as the stage `tracklets` writes them."""

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from drawn_crops import draw_crop

from reidops.files import write_json
from reidops.tables import CROPS, TRACKLET_TRUTH, TRACKLETS, write_table

LENGTH, STEP = 40, 50  # frames of a tracklet, and between the first frames of two tracklets of one person


def write_tracklets(
    folder: Path,
    *,
    num_people: int = 6,
    num_cameras: int = 2,
    runs: int = 2,
    crops_per_tracklet: int = 4,
    with_truth: bool = True,
    seed: int = 0,
) -> Path:
    """Write `runs` tracklets of each person in each camera, all people at once, and return the folder.

    A person is two coloured rectangles on noise. All tracklets of a run overlap, so that people of one camera cannot
    be linked.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    colours = rng.integers(0, 256, (num_people, 2, 3))
    crops, tracklets, truth = [], [], []
    with tarfile.open(folder / "crops.tar", "w") as tar:
        for run in range(runs):
            for camid in range(num_cameras):
                for pid in range(num_people):
                    number, first = 2 * len(tracklets) + 1, 1 + run * STEP
                    place = {"dataset": "videos", "scene": f"street{camid}", "camid": camid}
                    tracklets.append(
                        {"tracklet": number, **place, "first_frame": first, "last_frame": first + LENGTH - 1}
                        | {"num_boxes": LENGTH}
                    )
                    truth.append({"tracklet": number, "pid": pid, "share": 1.0})
                    for i in range(crops_per_tracklet):
                        frame = first + i * LENGTH // crops_per_tracklet
                        crops.append(_add(tar, number, i, draw_crop(colours[pid], rng)) | place | {"frame": frame})
    write_table(pd.DataFrame(crops), folder / "crops.parquet", CROPS)
    write_table(pd.DataFrame(tracklets), folder / "tracklets.parquet", TRACKLETS)
    if with_truth:
        write_table(pd.DataFrame(truth), folder / "truth.parquet", TRACKLET_TRUTH)
    counts = {"num_tracklets": len(tracklets), "num_crops": len(crops)}
    write_json(counts | {"transductive": False, "sequences": {}}, folder / "report.json")
    return folder


def tables(
    views: list[int], intervals: list[tuple[int, int]], crops_per_tracklet: int = 2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a crops table and a tracklets table without pictures: tracklet i is in camera views[i]."""
    tracklets = pd.DataFrame(
        {
            "tracklet": range(len(views)), "dataset": "videos", "scene": "s", "camid": views,
            "first_frame": [first for first, _ in intervals], "last_frame": [last for _, last in intervals],
            "num_boxes": crops_per_tracklet,
        }
    )  # fmt: skip
    crops = tracklets.loc[tracklets.index.repeat(crops_per_tracklet)].reset_index(drop=True)
    crops["frame"] = crops["first_frame"] + np.tile(range(crops_per_tracklet), len(views))
    return crops.assign(pid=-1, track_id=-1), tracklets


def _add(tar: tarfile.TarFile, tracklet: int, number: int, crop_bgr: np.ndarray) -> dict[str, object]:
    encoded = cv2.imencode(".jpg", crop_bgr)[1].tobytes()
    member = tarfile.TarInfo(f"imgs/{tracklet:06d}/{number:06d}.jpg")
    member.size = len(encoded)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(encoded))
    height, width = crop_bgr.shape[:2]
    return {
        "path": member.name, "offset": offset, "size": len(encoded), "pid": -1, "track_id": -1, "tracklet": tracklet,
        "width": width, "height": height, "visibility": 1.0, "split": "adapt",
    }  # fmt: skip
