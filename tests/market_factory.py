"""Write small Market-1501 sets for tests, in the published layout."""

from pathlib import Path

import cv2
import numpy as np


def write_market_set(
    folder: Path, *, num_train: int = 4, num_test: int = 3, cameras: tuple[int, ...] = (1, 2, 3)
) -> Path:
    """Write people 2, 3, … to train and the next ones to query (camera 1) and gallery.

    Background crops, junk and a Thumbs.db are also written.
    """
    train, test = range(2, 2 + num_train), range(2 + num_train, 2 + num_train + num_test)
    for pid in train:
        for camera in cameras:
            write_crop(folder / "bounding_box_train", pid, camera, frame=100 * pid + camera)
    for pid in test:
        write_crop(folder / "query", pid, camera=cameras[0], frame=100 * pid)
        for camera in cameras:
            write_crop(folder / "bounding_box_test", pid, camera, frame=100 * pid + camera)
    write_crop(folder / "bounding_box_test", 0, cameras[0], frame=7)
    write_crop(folder / "bounding_box_test", -1, cameras[0], frame=8)
    (folder / "query" / "Thumbs.db").write_bytes(b"not a crop")
    return folder


def write_crop(folder: Path, pid: int, camera: int, frame: int) -> Path:
    """Write one crop of 32 × 64 px in the person's colour and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{'-1' if pid < 0 else f'{pid:04d}'}_c{camera}s1_{frame:06d}_01.jpg"
    colour = np.random.default_rng(pid + 5).integers(0, 256, 3)
    noise = np.random.default_rng(frame).integers(0, 20, (64, 32, 3))
    cv2.imwrite(str(folder / name), np.clip(colour + noise, 0, 255).astype(np.uint8))
    return folder / name
