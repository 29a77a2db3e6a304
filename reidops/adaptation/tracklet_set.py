"""The tracklets without labels that a model adapts to, their crops, and which tracklets never train."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.tables import CROPS, TRACKLETS, read_table

_VIDEO = ["dataset", "scene", "camid"]


@dataclass(frozen=True)
class TrackletSet:
    """The crops of T tracklets.

    Attributes:
        crops: tables.CROPS with N rows; `pid` is -1.
        tracklets: tables.TRACKLETS with T rows, in ascending order of `tracklet`.
        of_crop: the tracklet's row of each crop, 0 … T − 1, [N].
        cameras: the camera of each tracklet as a number 0 … V − 1, [T].
        videos: the video of each tracklet (data set, scene and camera) as a number, [T]; only it counts its frames.
        is_held_out: whether the tracklet never trains, bool [T].
    """

    crops: pd.DataFrame
    tracklets: pd.DataFrame
    of_crop: np.ndarray
    cameras: np.ndarray
    videos: np.ndarray
    is_held_out: np.ndarray

    @property
    def num_crops(self) -> np.ndarray:
        """Return the number of crops of each tracklet, [T]."""
        return np.bincount(self.of_crop, minlength=len(self.tracklets))

    @property
    def trains(self) -> np.ndarray:
        """Return the crops of the tracklets that train: positions 0 … N − 1, ascending."""
        return np.flatnonzero(~self.is_held_out[self.of_crop])


def read_tracklet_set(folder: Path, held_out: float, seed: int) -> TrackletSet:
    """Read the tracklets and crops of data/tracklets; ground truth is not read.

    Args:
        held_out: share of the tracklets of each camera that never train.
        seed: seed of the choice of these tracklets.

    Raises:
        ReidopsError: a table is missing or breaks its contract, there is no crop, or a crop names an unknown tracklet.
    """
    tracklets_file, crops_file = folder / "tracklets.parquet", folder / "crops.parquet"
    if not crops_file.is_file():
        raise ReidopsError(
            f"{crops_file}: no such file, but adapt.rounds or adapt.norm_share is above 0; name sets in "
            "download.adapt or a folder of videos in download.videos and run `dvc repro`, or set both to 0"
        )
    crops = read_table(crops_file, CROPS)
    tracklets = read_table(tracklets_file, TRACKLETS).sort_values("tracklet", ignore_index=True)
    return make_tracklet_set(crops, tracklets, held_out, seed, where=str(crops_file))


def make_tracklet_set(
    crops: pd.DataFrame, tracklets: pd.DataFrame, held_out: float, seed: int, *, where: str = "the crops"
) -> TrackletSet:
    """Return the set of these tables; `where` names the crops in a message.

    Raises:
        ReidopsError: there is no crop, or a crop names an unknown tracklet.
    """
    if len(crops) == 0:
        raise ReidopsError(
            f"{where}: no crop, so that there is nothing to adapt to; set adapt.rounds and adapt.norm_share to 0"
        )
    known = tracklets["tracklet"].to_numpy()
    of_crop = np.searchsorted(known, crops["tracklet"])
    lost = known[np.minimum(of_crop, len(known) - 1)] != crops["tracklet"] if len(known) else np.ones(len(crops), bool)
    if lost.any():
        row = int(np.argmax(lost))
        raise ReidopsError(
            f"{where}: row {row} is of tracklet {crops['tracklet'].iloc[row]}, which tracklets.parquet does not have; "
            "run `dvc repro -f tracklets`"
        )
    cameras = np.unique(tracklets["camid"], return_inverse=True)[1]
    videos = pd.factorize(pd.MultiIndex.from_frame(tracklets[_VIDEO]), sort=True)[0]
    return TrackletSet(crops, tracklets, of_crop, cameras, videos, _hold_out(cameras, held_out, seed))


def _hold_out(cameras: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return a random `share` of the tracklets of each camera, rounded down, bool [T]."""
    rng, chosen = np.random.default_rng([seed, 0]), np.zeros(len(cameras), bool)
    for camera in np.unique(cameras):
        own = rng.permutation(np.flatnonzero(cameras == camera))
        chosen[own[: int(share * len(own))]] = True
    return chosen
