"""The camera motion of whole sequences, computed once and kept in a file."""

import hashlib
import logging
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from reidops.boxes.embeddings import read_frame
from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.mot.sequences import Sequence
from reidops.progress_bar import progress_bar
from reidops.tracking.camera_motion import METHODS, CameraMotion, identity

_logger = logging.getLogger(__name__)
# To be raised when a method's result changes, so that files of before are not taken for it.
_VERSION = 1


class CachedMotion:
    """Motions that are known already; the pictures are not looked at."""

    def __init__(self, affines: np.ndarray) -> None:
        """Keep the motions of a tracker's frames 1, 2, …, [num_frames, 2, 3]; the first has no frame before it and is
        never used.
        """
        self._affines = affines

    def affine(self, frame_number: int, picture: np.ndarray | None) -> np.ndarray:
        """Return the stored motion; see `CameraMotion`.

        Raises:
            ReidopsError: the number is none of the stored ones.
        """
        if not 1 <= frame_number <= len(self._affines):
            raise ReidopsError(
                f"frame {frame_number}: the camera motion is stored for frames 1 … {len(self._affines)}; compute it "
                f"for all frames"
                " that are tracked"
            )
        return identity() if frame_number == 1 else self._affines[frame_number - 1]


def cached_motion(sequence: Sequence, method: str, folder: Path, frames: range | None = None) -> CachedMotion:
    """Return the camera motion of some frames of a sequence, for a tracker that is given just these frames, in order.

    It is read from `folder/<sequence>.<method>.npz` when that was computed by the same method from the same frames,
    else computed and written there, so two processes must not ask for one sequence at once. That frames are the same is
    told by their names and their sizes in bytes, not by their content. For one that reads it in a DVC stage: `folder`
    must outlive the stage (an out is deleted before its stage runs), so it is best written where frames are decoded
    anyhow, beside the embeddings.

    Args:
        method: a name of METHODS.
        frames: 1-based; None = all.

    Raises:
        ReidopsError: a frame is no picture, or they are of different sizes.
    """
    frames = range(1, sequence.length + 1) if frames is None else frames
    path = Path(folder) / f"{sequence.name}.{method}.npz"
    key = _key(sequence, method, frames)
    affines = _read(path, key)
    if affines is None:
        affines = sequence_affines(sequence, METHODS[method](), frames)
        with whole_file(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, affines=affines, key=np.array(key))
    return CachedMotion(affines)


def sequence_affines(sequence: Sequence, motion: CameraMotion, frames: range) -> np.ndarray:
    """Return the motion into each of the frames of a sequence, float64 [num_frames, 2, 3]; each frame is decoded once.

    Where a frame's file is missing the camera is taken to stand still, and the motion into the next frame is from the
    last there was.

    Raises:
        ReidopsError: a frame is no picture, or they are of different sizes.
    """
    affines = np.tile(identity(), (len(frames), 1, 1))
    present = [place for place, frame in enumerate(frames) if sequence.frame_path(frame).is_file()]
    if missing := len(frames) - len(present):
        _logger.warning(
            "%s: %d of %d frames are missing; the camera is taken to stand still there",
            sequence.name,
            missing,
            len(frames),
        )
    for place in progress_bar(present, desc=f"camera {sequence.name}", unit="frames"):
        picture = read_frame(sequence, frames[place])
        try:
            affines[place] = motion.affine(place + 1, picture)
        except ReidopsError as error:
            raise ReidopsError(f"{sequence.frame_path(frames[place])}: {error}") from None
    return affines


def _key(sequence: Sequence, method: str, frames: range) -> str:
    """Return a hash of the method and of the names and sizes [bytes] of the frames; a missing one has size −1."""
    paths = [sequence.frame_path(frame) for frame in frames]
    sizes = [path.stat().st_size if path.is_file() else -1 for path in paths]
    listing = "\n".join(f"{path.name} {size}" for path, size in zip(paths, sizes, strict=True))
    return hashlib.sha256(f"{_VERSION} {method}\n{listing}".encode()).hexdigest()


def _read(path: Path, key: str) -> np.ndarray | None:
    """Return what is stored, None where it is not there, not whole, or of something else: it is computed anew then."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive["affines"] if str(archive["key"]) == key else None
    except (KeyError, ValueError, EOFError, OSError, BadZipFile):
        return None
