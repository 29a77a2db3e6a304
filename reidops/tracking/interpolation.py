"""Interpolate gaps of tracks and smooth their boxes after tracking: Gaussian-smoothed interpolation (GSI).

After Du et al., "StrongSORT: Make DeepSORT great again", 2023, section 3.4, equations 9 to 12: gaps are filled
linearly, then each of the four numbers of a box is smoothed by a Gaussian process over time. The kernel is implemented
here with NumPy and SciPy.
"""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.linalg import cho_factor, cho_solve

from reidops.params import params_dataclass
from reidops.tracking.tracks import NO_DETECTION

_BOX = ["left", "top", "width", "height"]


@params_dataclass
class SmoothingConstants:
    """GSI's constants (Du et al. 2023); the noise is ours, as the paper gives no figure."""

    # Frames without a box, between two boxes, that are filled at most. The published code fills where the frame numbers
    # of the two boxes differ by less than its interval, 20: at most 18 frames.
    max_gap: Annotated[int, Field(ge=1)] = 18
    tau: Annotated[float, Field(gt=0)] = 10.0  # τ of equation 12
    # of a box's numbers, as a share of the track's mean height; 0 = lines only
    noise: Annotated[float, Field(ge=0)] = 0.01


def interpolate_tracks(tracks: pd.DataFrame, constants: SmoothingConstants = SmoothingConstants()) -> pd.DataFrame:
    """Return the table with gaps filled and boxes smoothed, ordered by frame and track_id.

    Args:
        tracks: frame, track_id, left, top, width, height, …; px. A filled row copies the other columns of the row
            before the gap, except `detection`, which is −1.
    """
    if not len(tracks):
        return tracks.copy()
    parts = [
        _smooth(_interpolate(track, constants.max_gap), constants)
        for _, track in tracks.sort_values("frame").groupby("track_id")
    ]
    return pd.concat(parts).sort_values(["frame", "track_id"], ignore_index=True)


def _interpolate(track: pd.DataFrame, max_gap: int) -> pd.DataFrame:
    """Return one track with linearly interpolated rows in each gap of at most `max_gap` frames."""
    frames = track["frame"].to_numpy()
    present = np.arange(frames[0], frames[-1] + 1)
    before = np.searchsorted(frames, present, side="right") - 1
    after = np.minimum(before + (frames[before] != present), len(frames) - 1)
    stays = frames[after] - frames[before] - 1 <= max_gap
    filled = track.iloc[before[stays]].assign(frame=present[stays])
    for name in _BOX:
        filled[name] = np.interp(present[stays], frames, track[name].to_numpy(dtype=float))
    if "detection" in filled:
        filled["detection"] = np.where(frames[before[stays]] == present[stays], filled["detection"], NO_DETECTION)
    return filled.reset_index(drop=True)


def _smooth(track: pd.DataFrame, constants: SmoothingConstants) -> pd.DataFrame:
    box = track[_BOX].to_numpy(dtype=float)
    noise = constants.noise * float(box[:, 3].mean())
    if len(track) < 3 or noise == 0:
        return track
    smoothed = smooth_series(track["frame"].to_numpy(dtype=float), box, noise, constants.tau)
    smoothed[:, 2:] = np.maximum(smoothed[:, 2:], 1.0)  # a box keeps an area, whatever its neighbours are
    return track.assign(**dict(zip(_BOX, smoothed.T, strict=True)))


def smooth_series(times: np.ndarray, values: np.ndarray, noise: float, tau: float) -> np.ndarray:
    """Return the mean of a Gaussian process at the observed times, [n, k] for values [n, k].

    The prior mean is the best line; the prior variance is estimated from the values (equations 9 to 11).

    Args:
        noise: standard deviation of one value, in the unit of the values.
        tau: the length scale is τ ln(τ³ / n), kept in 1 / τ … τ² (equation 12). Series of τ³ frames and more are not
            smoothed, as the length scale would be below one frame.
    """
    if len(times) >= tau**3:
        return values.copy()
    length = np.clip(tau * np.log(tau**3 / len(times)), 1 / tau, tau**2)
    line = np.column_stack([np.ones_like(times), times - times.mean()])
    trend = line @ np.linalg.lstsq(line, values, rcond=None)[0]
    kernel = np.exp(-((times[:, None] - times) ** 2) / (2 * length**2))
    smoothed = [trend[:, i] + _posterior(kernel, values[:, i] - trend[:, i], noise) for i in range(values.shape[1])]
    return np.column_stack(smoothed)


def _posterior(kernel: np.ndarray, residuals: np.ndarray, noise: float) -> np.ndarray:
    """Return the posterior mean of the residuals [n]; their variance is that of signal plus noise."""
    variance = max(float(residuals @ residuals) / len(residuals), noise**2)
    covariance = variance * kernel
    return covariance @ cho_solve(cho_factor(covariance + noise**2 * np.eye(len(residuals))), residuals)
