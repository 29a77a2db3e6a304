"""Compare the distance of generated crops to training crops with the distances among training crops."""

from dataclasses import dataclass

import numpy as np

_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Nearest:
    """The nearest of a set of references for each query: its row and its Euclidean distance, both [N].

    A query without a permitted reference has the row −1 and an infinite distance.
    """

    rows: np.ndarray
    distances: np.ndarray


def find_nearest(
    queries: np.ndarray, references: np.ndarray, excluded: tuple[np.ndarray, np.ndarray] | None = None
) -> Nearest:
    """Return the nearest reference of each query, [N, D] and [M, D].

    Args:
        excluded: groups of the queries and of the references; a reference of the query's own group is not permitted.
    """
    squares, rows, distances = np.square(references).sum(axis=1), [], []
    for start in range(0, len(queries), _ROWS_AT_ONCE):
        some = queries[start : start + _ROWS_AT_ONCE]
        squared = np.square(some).sum(axis=1)[:, None] + squares - 2 * some @ references.T
        if excluded is not None:
            own = excluded[0][start : start + _ROWS_AT_ONCE, None] == excluded[1]
            squared[own] = np.inf
        rows.append(squared.argmin(axis=1))
        distances.append(np.sqrt(squared.min(axis=1).clip(min=0)))
    found, lengths = np.concatenate(rows), np.concatenate(distances)
    return Nearest(np.where(np.isfinite(lengths), found, -1), lengths)


def compare_with_training(
    generated: np.ndarray, training: np.ndarray, pictures: np.ndarray, people: np.ndarray
) -> dict[str, float]:
    """Return how near generated crops are to training crops, in a space of vectors, [N, D] and [M, D].

    Args:
        pictures: the frame of each training crop, as a number [M].
        people: the person of each training crop [M].

    Returns:
        Medians of the distance to the nearest training crop: of `generated` crops, of training crops to one of another
        picture (`other_picture`) and to one of another person (`other_person`). `share_of_copies` is the share of
        generated crops that are nearer than the median of `other_picture`, as a second picture of one person would be.
    """
    own = find_nearest(generated, training).distances
    by_picture = find_nearest(training, training, (pictures, pictures)).distances
    by_person = find_nearest(training, training, (people, people)).distances
    typical = float(np.median(by_picture))
    figures = {
        "generated": float(np.median(own)),
        "other_picture": typical,
        "other_person": float(np.median(by_person)),
        "share_of_copies": float((own < typical).mean()),
    }
    return {name: value for name, value in figures.items() if np.isfinite(value)}
