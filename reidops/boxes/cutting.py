"""Cut boxes out of one picture. Imports NumPy only, because it is part of every registered model."""

import numpy as np

from reidops.mot.boxes import clip_ltrb, ltwh_to_ltrb

MIN_CROP_SIDE = 4
"""Crops with a shorter side [px, inside the frame] hold no information about a person."""


def cut_box(picture: np.ndarray, box_ltwh: np.ndarray) -> np.ndarray:
    """Return a copy of a picture [h, w, 3] inside a box, cut to the picture and to whole pixels; may be empty."""
    height, width = picture.shape[:2]
    left, top, right, bottom = np.round(clip_ltrb(ltwh_to_ltrb(box_ltwh), width, height)).astype(int)
    return picture[top:bottom, left:right].copy()
