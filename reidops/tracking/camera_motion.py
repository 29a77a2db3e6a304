"""Camera motion between two frames: sparse optical flow and ECC.

A motion is an affine [2, 3] that maps a point (x, y, 1) of the previous frame to its position in this one, in px, with
continuous edges as in `reidops.mot.boxes`. Sparse flow is used as in BoT-SORT (Aharon, Orfaig and Bobrovsky 2022,
section 3.2), ECC (Evangelidis and Psarakis 2008) as in StrongSORT (Du et al. 2023, section 3.2).
"""

from typing import Protocol

import cv2
import numpy as np

from reidops.errors import ReidopsError

_AGREEMENT = 1.0  # px of the small picture


class CameraMotion(Protocol):
    """Estimates camera motion; a tracker calls it once for every frame in order."""

    def affine(self, frame_number: int, picture: np.ndarray | None) -> np.ndarray:
        """Return the motion from the previous frame to this one, float64 [2, 3]; identity if it cannot be estimated.

        Args:
            frame_number: 1, 2, … as the tracker counts; a number that does not exceed the last one starts a new video.
            picture: BGR uint8 [h, w, 3]; None = missing, the next motion is then from the last existing one.

        Raises:
            ReidopsError: the picture has another shape than expected, or another size than the previous one.
        """


def identity() -> np.ndarray:
    """Return the motion of a static camera, float64 [2, 3]."""
    return np.eye(2, 3)


class NoMotion:
    """A static camera."""

    def affine(self, frame_number: int, picture: np.ndarray | None) -> np.ndarray:
        """Return the identity; see `CameraMotion`."""
        return identity()


class _Estimator:
    """Common part of both methods: the last picture in grey, reduced by `downscale`."""

    def __init__(self, downscale: int = 2) -> None:
        self._downscale = downscale
        self._last_number = 0
        self._last_shape: tuple[int, ...] | None = None
        self._last_grey: np.ndarray | None = None

    def affine(self, frame_number: int, picture: np.ndarray | None) -> np.ndarray:
        """Return the motion from the last picture to this one; see `CameraMotion`."""
        if frame_number <= self._last_number:
            self._last_shape = self._last_grey = None
        self._last_number = frame_number
        if picture is None:
            return identity()
        self._check(frame_number, picture)
        before, self._last_grey = self._last_grey, _small_grey(picture, self._downscale)
        self._last_shape = picture.shape
        return identity() if before is None else _enlarged(self._estimate(before, self._last_grey), self._downscale)

    def _estimate(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        """Return the motion between two small grey pictures in their px; integer coordinates are pixel centres."""
        raise NotImplementedError

    def _check(self, frame_number: int, picture: np.ndarray) -> None:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ReidopsError(
                f"frame {frame_number}: a picture of shape {picture.shape} and type {picture.dtype}; camera motion "
                f"expects BGR uint8"
                " [h, w, 3], convert it before tracking"
            )
        if self._last_shape not in (None, picture.shape):
            (height, width), (last_height, last_width) = picture.shape[:2], self._last_shape[:2]
            raise ReidopsError(
                f"frame {frame_number}: is {width} × {height} px, the one before {last_width} × {last_height}; camera "
                f"motion compares"
                " frames of one size, scale them or track each part with a new tracker"
            )


class SparseFlow(_Estimator):
    """Corners of the previous frame tracked by pyramidal Lucas-Kanade; RANSAC fits a similarity transform to them.

    Ours: the RANSAC threshold is one pixel of the small picture. With OpenCV's three, walking people move the estimate:
    in the median frame of MOT17-09, whose camera is static, the corners of the picture move by 0.5 px, and with one by
    0.2 px. Also ours: with fewer than `min_points` corners, or a smaller share of inliers than `min_share`, there is no
    estimate.
    """

    def __init__(self, downscale: int = 2, *, min_points: int = 10, min_share: float = 0.2) -> None:
        super().__init__(downscale)
        self._min_points = min_points
        self._min_share = min_share

    def _estimate(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        corners = cv2.goodFeaturesToTrack(before, maxCorners=1000, qualityLevel=0.01, minDistance=1, blockSize=3)
        if corners is None or len(corners) < self._min_points:
            return identity()
        # The stub forbids None, which OpenCV's documentation allows: the points are then found from `corners`.
        followed, found, _ = cv2.calcOpticalFlowPyrLK(before, now, corners, None)  # type: ignore[call-overload]
        found = found.ravel().astype(bool)
        if found.sum() < self._min_points:
            return identity()
        affine, agreed = cv2.estimateAffinePartial2D(
            corners[found], followed[found], method=cv2.RANSAC, ransacReprojThreshold=_AGREEMENT
        )
        agree = affine is not None and agreed.sum() >= max(self._min_points, self._min_share * len(corners))
        return affine if agree else identity()


class Ecc(_Estimator):
    """The rotation and translation with the largest correlation of the two frames' grey values."""

    def __init__(self, downscale: int = 4, *, num_iterations: int = 100, tolerance: float = 1e-5) -> None:
        super().__init__(downscale)
        self._criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, num_iterations, tolerance)

    def _estimate(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        start = np.eye(2, 3, dtype=np.float32)
        try:
            _, affine = cv2.findTransformECC(before, now, start, cv2.MOTION_EUCLIDEAN, self._criteria)
        except cv2.error as error:
            # OpenCV raises this where it does not converge, and where a picture is of one colour.
            if error.code != cv2.Error.StsNoConv:
                raise
            return identity()
        return affine.astype(float)


# The methods by their name in params.yaml.
METHODS = {"sparse_flow": SparseFlow, "ecc": Ecc, "none": NoMotion}


def _small_grey(picture: np.ndarray, downscale: int) -> np.ndarray:
    """Return the picture in grey, each pixel the mean of downscale × downscale; the remainder is cut off."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    height, width = (max(side // downscale, 1) for side in grey.shape)
    whole = grey[: height * downscale, : width * downscale]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _enlarged(affine: np.ndarray, downscale: int) -> np.ndarray:
    """Return a motion of the small picture as one of the whole picture, with continuous edges."""
    turn, shift = affine[:, :2], affine[:, 2]
    return np.column_stack([turn, downscale * (shift + (np.eye(2) - turn) @ [0.5, 0.5])])
