"""Young tracks that may be people who came back: the evidence at their start, until they are recognised or old."""

from collections.abc import Callable, Mapping

import numpy as np

LEAST_EVIDENCE = -8.0  # of presence and motion; appearance rarely outweighs less
ENOUGH = 1.0  # log odds from which on a young track is taken for the lost person


class Returns:
    """The lost people that each young track may be.

    Tracks are named by numbers that are never used again.

    Args:
        seconds: age up to which a track is young.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lost_of: dict[int, tuple[float, dict[int, float]]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._lost_of

    def start(self, number: int, now: float, lost: np.ndarray, evidence: np.ndarray) -> None:
        """Note a new track.

        Args:
            now: time of its start, s.
            lost: numbers of the lost tracks, [n].
            evidence: log odds from presence and motion that it is each of them, [n].
        """
        is_possible = evidence > LEAST_EVIDENCE
        if self._seconds > 0 and is_possible.any():
            pairs = zip(lost[is_possible].tolist(), evidence[is_possible].tolist(), strict=True)
            self._lost_of[number] = (now, dict(pairs))

    def best(self, number: int, row_of: Mapping[int, int], appearance: Callable[[int], float]) -> int | None:
        """Return the row of the lost track that this track most likely is; None if none is likely enough.

        Args:
            row_of: rows of the tracks that are still lost, by number.
            appearance: returns the log likelihood ratio of this track and the lost track in a row.
        """
        candidates = [
            (evidence + float(appearance(row_of[lost])), row_of[lost])
            for lost, evidence in self._lost_of[number][1].items()
            if lost in row_of
        ]
        evidence, row = max(candidates, default=(-np.inf, -1))
        return row if evidence > ENOUGH else None

    def stop(self, number: int) -> None:
        """Forget a track."""
        self._lost_of.pop(number, None)

    def forget(self, now: float) -> None:
        """Forget the tracks that are no longer young."""
        old = [number for number, (start, _) in self._lost_of.items() if now - start > self._seconds]
        for number in old:
            del self._lost_of[number]
