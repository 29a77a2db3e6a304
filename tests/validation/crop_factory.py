"""Write a small `data/crops` for tests: coloured pictures of people in a tar, and their table."""

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reidops.parts import Part
from reidops.tables import CROPS, write_table

SPLITS = {0: "train", 1: "train", 2: "train", 3: "val", 4: "val", 5: "test", 6: "test"}
PARTS = [
    Part("train", "TOY", "mot", Path("raw/TOY/train/TOY-01"), "TOY-01", "01", 1, 12),
    Part("test", "TOY", "mot", Path("raw/TOY/train/TOY-02"), "TOY-02", "02", 1, 12),
    Part("track", "TOY", "mot", Path("raw/TOY/train/TOY-02"), "TOY-02", "02", 1, 12),
]


def write_crops(folder: Path, crops_per_person: int = 5) -> pd.DataFrame:
    """Write crops.tar, crops.parquet and meta/, and return the table.

    There are 3 people in train, 2 in val and 2 in test; crop 0 of a test person is the query.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with tarfile.open(folder / "crops.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for pid, side in SPLITS.items():
            for number in range(crops_per_person):
                rows.append(_add_crop(tar, pid, number, side))
    table = pd.DataFrame(rows, columns=list(CROPS.columns))
    write_table(table, folder / "crops.parquet", CROPS)
    write_lists(table, folder / "meta")
    return table


def write_lists(table: pd.DataFrame, folder: Path) -> None:
    """Write train_80.txt and val_20.txt with the pids as labels, which are consecutive here."""
    folder.mkdir(exist_ok=True)
    for name, split in (("train_80.txt", "train"), ("val_20.txt", "val")):
        rows = table[table["split"] == split]
        lines = [f"{path.removeprefix('imgs/')} {pid}\n" for path, pid in zip(rows["path"], rows["pid"], strict=True)]
        (folder / name).write_text("".join(lines))


def draw_person(pid: int, number: int) -> np.ndarray:
    """Return BGR uint8 [64, 32, 3]: a smooth pattern per person plus noise per crop."""
    coarse = np.random.default_rng(pid).integers(0, 255, (9, 5, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (32, 64), interpolation=cv2.INTER_CUBIC).astype(int)
    return (picture + np.random.default_rng([pid, number]).integers(-4, 5, picture.shape)).clip(0, 255).astype(np.uint8)


def _add_crop(tar: tarfile.TarFile, pid: int, number: int, side: str) -> dict[str, object]:
    content = cv2.imencode(".jpg", draw_person(pid, number))[1].tobytes()
    scene = "02" if side == "test" else "01"
    info = tarfile.TarInfo(f"imgs/TOY-{scene}_{pid:06d}/{number:06d}.jpg")
    info.size = len(content)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(info, io.BytesIO(content))
    split = ("gallery" if number else "query") if side == "test" else side
    return {
        "path": info.name,
        "offset": offset,
        "size": len(content),
        "dataset": "TOY",
        "pid": pid,
        "camid": int(scene),
        "scene": scene,
        "track_id": pid,
        "tracklet": -1,
        "frame": 2 * number + 1,
        "width": 32,
        "height": 64,
        "visibility": 1.0,
        "split": split,
    }
