"""The camera motion of whole sequences, computed once and stored in a file."""

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
    """Stored motions; the pictures are not used."""

    def __init__(self, affines: np.ndarray) -> None:
        """Store the motions [num_frames, 2, 3] of frames 1, 2, …; the first one is never used."""
        self._affines = affines

    def affine(self, frame_number: int, picture: np.ndarray | None) -> np.ndarray:
        """Return the stored motion; see `CameraMotion`.

        Raises:
            ReidopsError: there is no motion of this number.
        """
        if not 1 <= frame_number <= len(self._affines):
            raise ReidopsError(
                f"frame {frame_number}: the camera motion is stored for frames 1 … {len(self._affines)}; compute it "
                f"for all frames"
                " that are tracked"
            )
        return identity() if frame_number == 1 else self._affines[frame_number - 1]


def cached_motion(sequence: Sequence, method: str, folder: Path, frames: range | None = None) -> CachedMotion:
    """Return the camera motion of some frames of a sequence, for a tracker that processes these frames in order.

    It is read from `folder/<sequence>.<method>.npz` if that file was computed by the same method from the same frames.
    Otherwise it is computed and written there, so two processes must not compute one sequence at once. Frames are the
    same if their names and their sizes in bytes are equal; their content is not compared. `folder` must not be an out
    of a DVC stage, which is deleted before the stage runs.

    Args:
        method: a name of METHODS.
        frames: 1-based; None = all.

    Raises:
        ReidopsError: a frame is not a picture, or frames differ in size.
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
    """Return the motion into each frame of a sequence, float64 [num_frames, 2, 3]; each frame is decoded once.

    A frame whose file is missing has no motion; the motion into the next frame is from the last existing one.

    Raises:
        ReidopsError: a frame is not a picture, or frames differ in size.
    """
    affines = np.tile(identity(), (len(frames), 1, 1))
    present = [place for place, frame in enumerate(frames) if sequence.frame_path(frame).is_file()]
    if missing := len(frames) - len(present):
        _logger.warning(
            "%s: %d of %d frames are missing; the camera is assumed to be static there",
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
    """Return the stored motion; None if it is missing, incomplete, or of other frames, and must be computed."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive["affines"] if str(archive["key"]) == key else None
    except (KeyError, ValueError, EOFError, OSError, BadZipFile):
        return None
