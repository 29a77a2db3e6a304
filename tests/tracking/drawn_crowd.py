"""A crowd that walks past each other, as a detector sees it."""

import numpy as np
import supervision as sv


def draw_crowd(
    rng: np.random.Generator, num_frames: int = 50, num_people: int = 10, least_score: float = 0.05
) -> list[tuple[sv.Detections, np.ndarray]]:
    """Return frames of jittered, sometimes missed walkers of 40 × 100 px, and their noisy embeddings [n, 16], some of
    them zeros.
    """
    start, speed, looks = (
        rng.uniform(0, 600, num_people),
        rng.uniform(-6, 6, num_people),
        rng.normal(size=(num_people, 16)),
    )
    frames = []
    for step in range(num_frames):
        seen = rng.random(num_people) > 0.15
        left = (start + speed * step + rng.normal(0, 1, num_people))[seen]
        noisy = (looks + rng.normal(0, 0.3, looks.shape))[seen]
        noisy *= (rng.random(len(noisy)) > 0.1)[:, None] / np.linalg.norm(noisy, axis=1, keepdims=True)
        box_ltrb = np.column_stack([left, np.full_like(left, 100), left + 40, np.full_like(left, 200)])
        boxes = sv.Detections(xyxy=box_ltrb, confidence=rng.uniform(least_score, 1, len(left)))
        frames.append((boxes, noisy.astype(np.float32)))
    return frames
