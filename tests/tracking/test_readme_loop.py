"""The loop of README.md and docs/api.md, run as it is written, on boxes that leave the frame or have no area."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
import torch

import reidops
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.tracking.deepsort import DeepSort

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT, STEP, NUM_FRAMES = 160, 96, 8.0, 18
SIDES = {"left": (-STEP, 0), "right": (STEP, 0), "above": (0, -STEP), "below": (0, STEP)}
STANDING = (2.4, 2.6, 14.3, 20.7)  # in a corner, apart from every way


def python_block(page: str, word: str) -> str:
    """Return the Python code of a page that contains a word."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return next(block for block in blocks if word in block)


README = python_block("README.md", "crop_image")
API = re.sub(r"^from.*deepsort.*\n|^tracker = .*\n", "", README, flags=re.MULTILINE)
API = python_block("docs/api.md", "BotSort").partition("tracked = ")[0] + API  # its tracker in the same loop


class WatchedEmbedder(Embedder):
    """An embedder that keeps the crops and the embeddings of each call."""

    calls: list[tuple[list[np.ndarray], np.ndarray]]

    def embed(self, crops, batch_size=64, *, desc=None):
        embedded = super().embed(crops, batch_size, desc=desc)
        self.calls.append((list(crops), embedded))
        return embedded


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> WatchedEmbedder:
    """Return what `Embedder.load` returns in the code of the pages: a small network with random weights."""
    torch.manual_seed(0)
    network = EmbeddingNetwork("test_byobnet", embedding_dim=16)
    options = {"backbone": "test_byobnet", "embedding_dim": 16, "pooling": "avg", "last_stride": 2}
    made = WatchedEmbedder(network, describe(network, **options, height=64, width=32, num_classes=0))
    made.calls = []
    monkeypatch.setattr(Embedder, "load", classmethod(lambda cls, source: made))
    return made


def run_loop(code: str, boxes_of: Callable[[int], list[tuple[float, ...]]], num_frames: int) -> list[sv.Detections]:
    """Run the code of a page on frames of noise and return what it tracked in each frame."""
    found: list[sv.Detections] = []
    names: dict[str, object] = {}

    def frames() -> Iterator[np.ndarray]:
        for number in range(num_frames):
            names["detect"] = lambda frame, number=number: detected(boxes_of(number))
            yield np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
            found.append(names["tracked"])

    names["frames"] = frames()
    exec(code, names)
    return found


def detected(boxes_ltrb: list[tuple[float, ...]]) -> sv.Detections:
    boxes = np.array(boxes_ltrb, float).reshape(-1, 4)
    return sv.Detections(xyxy=boxes, confidence=np.full(len(boxes), 0.9), class_id=np.zeros(len(boxes), int))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("code", [README, API], ids=["README", "api"])
def test_a_person_who_leaves_the_frame_keeps_one_track_and_disturbs_no_other(embedder, code, side):
    right, down = SIDES[side]

    def boxes_of(number: int) -> list[tuple[float, ...]]:
        left, top = 70.25 + number * right, 23.5 + number * down
        return [STANDING, (left, top, left + 20.5, top + 50.25)]

    results = run_loop(code, boxes_of, NUM_FRAMES)
    sizes = [crops[1].size for crops, _ in embedder.calls]
    assert sizes[0] > 0 and sizes[-1] == 0 and any(0 < size < sizes[0] for size in sizes)
    for crops, embedded in embedder.calls:
        expected = [1.0 if crop.size else 0.0 for crop in crops]
        np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), expected, atol=1e-5)

    ids = {"standing": set(), "leaving": set()}
    for result in results:
        for box, track in zip(result.xyxy, result.tracker_id, strict=True):
            ids["standing" if np.abs(box - STANDING).max() < 4 else "leaving"].add(int(track))
    assert len(ids["standing"]) == 1 and ids["leaving"] and not ids["standing"] & ids["leaving"]
    inside = [result for result, size in zip(results, sizes, strict=True) if size]
    assert len({int(track) for result in inside for track in result.tracker_id} - ids["standing"]) == 1


NO_BOXES = {
    "no width": (30, 10, 30, 60),
    "no height": (30, 10, 50, 10),
    "negative width": (50, 10, 30, 60),
    "negative height": (30, 60, 50, 10),
}


@pytest.mark.parametrize("kind", NO_BOXES)
@pytest.mark.parametrize("code", [README, API], ids=["README", "api"])
def test_a_box_without_area_is_refused_with_its_number_and_the_remedy(embedder, code, kind):
    with pytest.raises(ReidopsError, match="detection 1: box .*drop such boxes before tracking"):
        run_loop(code, lambda number: [STANDING, NO_BOXES[kind]], 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_box_that_is_not_finite_is_refused_by_supervision_or_by_the_tracker(value):
    with pytest.raises(ValueError, match="xyxy must contain only finite numeric values"):
        detected([STANDING, (value, 10, 30, 60)])
    detections = detected([STANDING, (20, 10, 30, 60)])
    detections.xyxy[1, 0] = value  # after the check of supervision
    with pytest.raises(ReidopsError, match=r"detection 1: box .*(nan|inf).* expected finite px"):
        DeepSort().update(detections, np.eye(2, dtype=np.float32))


@pytest.mark.parametrize("code", [README, API], ids=["README", "api"])
def test_frames_with_boxes_outside_alone_or_without_boxes_stop_no_loop(embedder, code):
    outside = [(-50, 10, -20, 60), (300, 10, 320, 60), (30, -80, 50, -10), (30, 120, 50, 160)]
    results = run_loop(code, lambda number: outside[: number % 5], 10)
    assert len(results) == 10 and not any(embedded.any() for _, embedded in embedder.calls)
    assert reidops.Embedder is Embedder  # the name that the pages import
