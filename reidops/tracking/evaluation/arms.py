"""Arms: one tracker on the same detections, with different embeddings.

`no_appearance` is the control. `random` has random vectors: it shows the effect of the gates alone. `appearance` has
the model's embeddings. `oracle` has one vector per person: its gain over the control is the largest that appearance
can give this tracker on these detections.
"""

import zlib
from dataclasses import replace

import numpy as np

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.boxes.identities import NO_PERSON
from reidops.tracking.constants import WITHOUT_APPEARANCE
from reidops.tracking.evaluation.arm_names import ARMS, NO_APPEARANCE, ORACLE, RANDOM

# Random unit vectors of this length are nearly orthogonal (cosine 0.06 on average, at most 0.3 among thousands), so
# `constants.ORACLE_COSINE_GATE` always separates one person from others.
_ORACLE_DIM = 256


def arms_of(tracker: str) -> tuple[str, ...]:
    """Return the arms that a tracker can run; a tracker without appearance has the control only."""
    return (NO_APPEARANCE,) if tracker in WITHOUT_APPEARANCE else ARMS


def with_arm_embeddings(arm: str, detected: EmbeddedDetections, people: np.ndarray, name: str) -> EmbeddedDetections:
    """Return a sequence's detections with the embeddings of an arm.

    Args:
        people: track_id of the person that each detection shows, [n]; NO_PERSON = none.
        name: of the sequence; the random draw is seeded by the names of arm and sequence.
    """
    rng = np.random.default_rng([zlib.crc32(arm.encode()), zlib.crc32(name.encode())])
    if arm == RANDOM:
        return replace(detected, embeddings=_unit_vectors(len(detected), detected.embeddings.shape[1], rng))
    if arm == ORACLE:
        return replace(detected, embeddings=_oracle_vectors(people, rng))
    return detected


def _oracle_vectors(people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one vector per person, and a different vector for each detection without a person."""
    known, person = np.unique(people, return_inverse=True)
    embeddings = _unit_vectors(len(known), _ORACLE_DIM, rng)[person]
    alone = people == NO_PERSON
    embeddings[alone] = _unit_vectors(int(alone.sum()), _ORACLE_DIM, rng)
    return embeddings


def _unit_vectors(num: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Return uniformly distributed unit vectors, float32 [num, dim]."""
    rows = rng.standard_normal((num, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
