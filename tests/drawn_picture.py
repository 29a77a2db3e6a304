"""Write one small picture of a person, in the format of the file's suffix."""

from pathlib import Path

import cv2
import numpy as np
from drawn_crops import draw_crop


def write_picture(path: Path, pid: int) -> Path:
    """Write a crop of about 30 × 60 px in the person's colours, on noise that is this file's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(pid).integers(0, 256, (2, 3))
    noise = np.random.default_rng(list(f"{path.parent.name}/{path.name}".encode()))
    cv2.imwrite(str(path), draw_crop(colours, noise))
    return path
