"""Observations of drawn scenes: people walk through, so that frames of a scene are alike and scenes differ a little."""

import numpy as np

from reidops.drift.observations import Observations

DIM = 16


def draw_scene(
    seed: int,
    *,
    num_people: int = 10,
    num_pairs: int = 20,
    light: float = 0.0,
    turn: float = 0.0,
    noise: float = 0.3,
    score: float = 0.7,
) -> Observations:
    """Return the boxes of people in pairs of frames; each person is there in half of them, in one stretch.

    Args:
        light: added to the brightness.
        turn: added to each embedding along one direction, as another camera's colours do.
        noise: of an embedding around its person.
        score: mean score of the detector.
    """
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(num_people, DIM))
    tone, zoom = rng.normal(80 + light, 8), rng.normal(0, 0.1)
    rows = []
    for person in range(num_people):
        start = rng.integers(0, num_pairs // 2 + 1)
        for pair in range(start, start + num_pairs // 2):
            for is_later in (False, True):
                rows.append((pair, is_later, person))
    pair, is_later, person = (np.array(column) for column in zip(*sorted(rows), strict=True))
    n = len(rows)
    embeddings = people[person] + noise * rng.normal(size=(n, DIM)) + turn * np.eye(DIM)[0]
    personal = rng.normal(size=(4, num_people))[:, person]
    height = 100 * 2 ** (zoom + 0.3 * personal[0])
    return Observations(
        scene=f"scene-{seed}",
        pair=pair,
        is_later=is_later.astype(bool),
        height=height,
        width=height / 2.4 * 2 ** (0.1 * rng.normal(size=n)),
        brightness=tone + 15 * personal[1] + rng.normal(size=n),
        contrast=30 + 5 * personal[2] + rng.normal(size=n),
        red_green=rng.normal(8, 3) + 6 * personal[3] + rng.normal(size=n),
        blue_yellow=rng.normal(-8, 3) + 6 * personal[0] + rng.normal(size=n),
        confidence=rng.normal(score, 0.02) + 0.1 * rng.normal(size=n),
        embeddings=(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32),
        num_frames=2 * num_pairs,
    )
