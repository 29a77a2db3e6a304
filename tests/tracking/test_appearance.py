import numpy as np
import pytest

from reidops.errors import ReidopsError
from reidops.tracking.appearance import FARTHEST, Ema, Gallery

MEMORIES = [lambda: Gallery(5), lambda: Ema(0.9)]
by_memory = pytest.mark.parametrize("start", MEMORIES, ids=["gallery", "ema"])
NONE = np.zeros((1, 6), np.float32)


def unit_rows(n: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def filled(memory, embeddings: np.ndarray):
    """Return the memory of one track that looked like each of these, in turn."""
    memory.append(1)
    for embedding in embeddings:
        memory.add([0], embedding[None])
    return memory


def test_a_gallerys_distance_is_that_of_the_nearest_kept_embedding():
    kept, asked = unit_rows(7), unit_rows(4, seed=1)
    expected = [min(1 - float(k @ a) for k in kept) for a in asked]
    assert filled(Gallery(100), kept).distances(asked)[0] == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("num_added", [1, 5, 6, 11, 23])
def test_only_the_last_budget_embeddings_are_kept(num_added):
    embeddings = unit_rows(num_added)
    gallery = filled(Gallery(5), embeddings)
    assert gallery.counts().tolist() == [min(num_added, 5)]
    expected = 1 - embeddings @ embeddings[-5:].T
    assert gallery.distances(embeddings)[0] == pytest.approx(expected.min(axis=1), abs=1e-6)


class PlainMemory:
    """Each track's embeddings in a list of its own, or its mean, one by one."""

    def __init__(self, budget=None, alpha=None):
        self.budget, self.alpha, self.tracks = budget, alpha, []

    def append(self, num_tracks):
        self.tracks += [[] for _ in range(num_tracks)]

    def keep(self, mask):
        self.tracks = [track for track, stays in zip(self.tracks, mask, strict=True) if stays]

    def add(self, rows, embeddings):
        for row, embedding in zip(rows, embeddings, strict=True):
            if not embedding.any():
                continue
            track = self.tracks[row]
            if self.alpha is not None and track:
                embedding = self.alpha * track[0] + (1 - self.alpha) * embedding
                embedding = embedding / np.linalg.norm(embedding)
            track.append(embedding)
            del track[: -(self.budget or 1)]

    def distances(self, embeddings):
        rows = [
            [min([1 - float(k @ e) for k in track] if e.any() else [], default=FARTHEST) for e in embeddings]
            for track in self.tracks
        ]
        return np.array(rows).reshape(len(self.tracks), len(embeddings))


@pytest.mark.parametrize(
    ("memory", "plain"),
    [(Gallery(5), PlainMemory(budget=5)), (Gallery(1), PlainMemory(budget=1)), (Ema(0.9), PlainMemory(alpha=0.9))],
    ids=["gallery", "gallery of one", "ema"],
)
def test_all_tracks_at_once_remember_what_each_would_alone(memory, plain):
    rng = np.random.default_rng(0)
    for step in range(60):
        coming = int(rng.integers(0, 4))
        # now and then nearly all leave
        going = rng.uniform(size=len(plain.tracks)) < (0.9 if step % 20 == 19 else 0.15)
        for each in (memory, plain):
            each.keep(~going)
            each.append(coming)
        rows = np.flatnonzero(rng.uniform(size=len(plain.tracks)) < 0.7)
        looks = unit_rows(len(rows), seed=step)
        looks[rng.uniform(size=len(rows)) < 0.2] = 0
        for each in (memory, plain):
            each.add(rows, looks)
        asked = np.concatenate([unit_rows(3, seed=step + 100), NONE])
        assert len(memory) == len(plain.tracks)
        assert memory.distances(asked) == pytest.approx(plain.distances(asked), abs=1e-6)


def test_a_pool_gives_back_the_room_of_a_crowd_that_is_gone():
    gallery = Gallery(3)
    gallery.append(500)
    gallery.add(np.arange(500), unit_rows(500))
    gallery.keep(np.arange(500) == 400)
    assert gallery._pool.shape == (2, 6)
    assert gallery.distances(unit_rows(500))[0, 400] == pytest.approx(0, abs=1e-6)


def test_an_average_takes_a_share_of_its_own_for_each_update():
    first, second = np.eye(2, dtype=np.float32)
    ema = Ema(0.9)
    ema.append(3)
    ema.add([0, 1, 2], np.stack([first] * 3))
    ema.add([0, 1, 2], np.stack([second] * 3), alphas=np.array([1.0, 0.5, 0.0]))
    assert ema.distances(first[None])[:, 0] == pytest.approx([0, 1 - np.sqrt(0.5), 1], abs=1e-6)


@by_memory
def test_a_detection_without_embedding_is_farthest_from_all_and_is_not_kept(start):
    memory = filled(start(), np.concatenate([unit_rows(1), NONE]))
    assert memory.distances(NONE).tolist() == [[FARTHEST]]
    assert memory.distances(unit_rows(1))[0, 0] == pytest.approx(0, abs=1e-6)


@by_memory
def test_a_track_without_embeddings_is_farthest_from_all(start):
    memory = start()
    memory.append(1)
    assert memory.distances(unit_rows(2)).tolist() == [[FARTHEST, FARTHEST]]
    memory.append(1)
    memory.add([1], unit_rows(1))
    assert memory.distances(unit_rows(2))[0].tolist() == [FARTHEST, FARTHEST]


@by_memory
def test_the_matrix_has_a_row_per_track_and_a_column_per_detection_even_without(start):
    assert start().distances(unit_rows(2)).shape == (0, 2)
    memory = filled(start(), unit_rows(1))
    memory.add([], np.zeros((0, 0), np.float32))
    assert memory.distances(np.zeros((0, 0), np.float32)).shape == (1, 0)
    memory.keep(np.array([False]))
    assert memory.distances(unit_rows(2)).shape == (0, 2)


@by_memory
def test_embeddings_of_another_length_are_refused(start):
    with pytest.raises(
        ReidopsError, match="embeddings of 4 numbers, where the tracks are remembered by 6.*start a new tracker"
    ):
        filled(start(), unit_rows(1)).distances(unit_rows(2, dim=4))
    with pytest.raises(ReidopsError, match="embeddings of 4 numbers, where the tracks are remembered by 6"):
        filled(start(), unit_rows(1)).add([0], unit_rows(1, dim=4))  # a tracker may remember what it did not compare
