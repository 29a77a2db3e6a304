"""Track several cameras at once: one tracker per camera, bounded in number and forgotten after a silence."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import supervision as sv

from reidops.boxes.box_embedding import embed_boxes
from reidops.errors import ReidopsError
from reidops.live import Model, choose_gate, start_tracker
from reidops.service.refusals import Busy, Refused
from reidops.service.served_model import CurrentModel, ServedModel
from reidops.tracking.constants import WITHOUT_APPEARANCE
from reidops.tracking.trackers import TRACKERS, Tracker

MAX_NAME = 128


@dataclass(eq=False)
class Session:
    """The tracker of a camera, with the model of its first frame: embeddings of two models cannot be compared."""

    tracker_name: str
    tracker: Tracker
    model: ServedModel
    end: Callable[[], None]
    last_used: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    num_frames: int = 0

    def follow(self, picture: np.ndarray, detections: sv.Detections) -> sv.Detections:
        """Return the confirmed tracks of the next frame."""
        with self.lock:
            uses_appearance = self.tracker_name not in WITHOUT_APPEARANCE
            embeddings = embed_boxes(self.model.embedder, picture, detections.xyxy) if uses_appearance else None
            tracked = self.tracker.update(detections, embeddings, picture)
            self.num_frames += 1
            return tracked


class Sessions:
    """The cameras that are tracked."""

    def __init__(
        self, models: CurrentModel, *, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._models, self._most, self._seconds, self._clock = models, most, seconds, clock
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of cameras, without those that were silent for too long."""
        with self._lock:
            self._expire()
            return len(self._sessions)

    def find(self, camera: str, tracker: str, options: Mapping[str, Any] | None = None) -> Session:
        """Return the session of a camera, a new one if there is none.

        Args:
            tracker: a name of `TRACKERS`; an existing session must have the same.
            options: `gate` and `constants` of a new session.

        Raises:
            Refused: the name is too long or another tracker runs (409).
            Busy: too many cameras are tracked.
            ReidopsError: there is no such tracker, gate or constant.
        """
        if not 0 < len(camera) <= MAX_NAME:
            raise Refused(400, f"the name of the camera has {len(camera)} characters, expected 1 … {MAX_NAME}")
        with self._lock:
            self._expire()
            session = self._sessions.get(camera)
            if session is None:
                session = self._start(camera, tracker, options or {})
            elif session.tracker_name != tracker:
                raise Refused(409, f"the camera is tracked with {session.tracker_name}; end the session first")
            session.last_used = self._clock()
            return session

    def end(self, camera: str) -> bool:
        """Forget a camera, and return whether it was known."""
        with self._lock:
            session = self._sessions.pop(camera, None)
        if session is not None:
            session.end()
        return session is not None

    def _start(self, camera: str, name: str, options: Mapping[str, Any]) -> Session:
        if len(self._sessions) >= self._most:
            raise Busy(f"{len(self._sessions)} cameras are tracked, at most {self._most} are allowed; end one first")
        if name not in TRACKERS:
            raise ReidopsError(f"there is no tracker {name[:40]!r}; there are {', '.join(TRACKERS)}")
        setting, constants = _read_options(options)
        leased = self._models.take()
        try:
            model = leased.model
            gate = choose_gate(setting, name, Model(model.name, model.embedder, model.gates))
            tracker = start_tracker(name, gate, "none", constants)
        except ReidopsError:
            self._models.give_back(leased)
            raise
        session = Session(name, tracker, model, lambda: self._models.give_back(leased), self._clock())
        self._sessions[camera] = session
        return session

    def _expire(self) -> None:
        oldest = self._clock() - self._seconds
        for camera in [name for name, session in self._sessions.items() if session.last_used < oldest]:
            self._sessions.pop(camera).end()


def _read_options(options: Mapping[str, Any]) -> tuple[str | float, Mapping[str, Any]]:
    """Return the gate and the changed constants of a new session.

    Raises:
        ReidopsError: an option is unknown or ill-typed.
    """
    unknown = sorted(set(options) - {"gate", "constants"})
    gate, constants = options.get("gate", "calibrated"), options.get("constants", {})
    if unknown or not isinstance(constants, Mapping):
        raise ReidopsError(f"the options are {str(sorted(options))[:80]}, expected `gate` and `constants` (an object)")
    is_number = type(gate) in (int, float) and 0 < gate < float("inf")
    if gate not in ("calibrated", "published") and not is_number:
        raise ReidopsError(f"`gate` is {str(gate)[:40]!r}, expected calibrated, published or a number above 0")
    return gate, constants
