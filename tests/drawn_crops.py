"""Write small crops folders for tests, with a crops table; a person is two coloured rectangles on noise."""

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reidops.files import write_json
from reidops.tables import CROPS, write_table


def write_crops(
    data: Path, *, num_people: int = 6, num_val: int = 3, crops_per_person: int = 6, num_cameras: int = 2
) -> Path:
    """Write `data/crops` and `data/validation/report.json` (passed), and return `data`; some people are held out."""
    rng = np.random.default_rng(0)
    (data / "crops").mkdir(parents=True)
    rows = []
    with tarfile.open(data / "crops" / "crops.tar", "w") as tar:
        for pid in range(num_people + num_val):
            colours = rng.integers(0, 256, (2, 3))
            for i in range(crops_per_person):
                crop_bgr = draw_crop(colours, rng)
                encoded = cv2.imencode(".jpg", crop_bgr)[1].tobytes()
                path = f"imgs/{pid:04d}/{i:06d}.jpg"
                rows.append(
                    _row(path, _add(tar, path, encoded), len(encoded), crop_bgr)
                    | {
                        "pid": pid,
                        "camid": i % num_cameras,
                        "frame": 1 + 30 * i,
                        "split": "train" if pid < num_people else "val",
                    }
                )
    write_table(pd.DataFrame(rows), data / "crops" / "crops.parquet", CROPS)
    write_json({"passed": True, "errors": [], "warnings": [], "counts": {}}, data / "validation" / "report.json")
    return data


def draw_crop(colours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a crop, BGR uint8, about 60 × 30 px: an upper and a lower garment on noise."""
    height, width = (int(side) for side in rng.integers((56, 26), (70, 36)))
    crop_bgr = rng.integers(90, 160, (height, width, 3), np.uint8)
    crop_bgr[8 : height // 2, 6:-6] = colours[0]
    crop_bgr[height // 2 : -4, 8:-8] = colours[1]
    return crop_bgr


def _add(tar: tarfile.TarFile, path: str, encoded: bytes) -> int:
    """Add a member and return the byte at which its content begins."""
    member = tarfile.TarInfo(path)
    member.size = len(encoded)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(encoded))
    return offset


def _row(path: str, offset: int, size: int, crop_bgr: np.ndarray) -> dict[str, object]:
    height, width = crop_bgr.shape[:2]
    return {
        "path": path,
        "offset": offset,
        "size": size,
        "dataset": "drawn",
        "scene": "drawn",
        "track_id": -1,
        "tracklet": -1,
        "width": width,
        "height": height,
        "visibility": 1.0,
    }
