"""Write generated crops as every set of crops is written: crops.tar and a crops table."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reidops.datasets.tar_members import write_end, write_member
from reidops.tables import CROPS, write_table

DATASET = "generated"
_JPEG_QUALITY = 95


def pack_generated(images: np.ndarray, folder: Path) -> pd.DataFrame:
    """Write crops.tar and crops.parquet with generated crops, RGB uint8 [N, H, W, 3], and return the table.

    The crops are JPEG files, as the training crops are. They show no person, so their pid is −1.
    """
    rows = []
    with open(folder / "crops.tar", "wb") as stream:
        position = 0
        for number, image in enumerate(images):
            jpeg = _encode(image)
            path = f"imgs/{DATASET}/{number:06d}.jpg"
            offset, position = write_member(stream, position, path, jpeg)
            rows.append(_row(path, offset, len(jpeg), image))
        write_end(stream)
    table = pd.DataFrame(rows, columns=list(CROPS.columns))
    write_table(table, folder / "crops.parquet", CROPS)
    return table


def _encode(image: np.ndarray) -> bytes:
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return jpeg.tobytes()


def _row(path: str, offset: int, size: int, image: np.ndarray) -> dict[str, object]:
    return {
        "path": path,
        "offset": offset,
        "size": size,
        "dataset": DATASET,
        "pid": -1,
        "camid": 0,
        "scene": DATASET,
        "track_id": -1,
        "tracklet": -1,
        "frame": 0,
        "width": image.shape[1],
        "height": image.shape[0],
        "visibility": 1.0,
        "split": "train",
    }
