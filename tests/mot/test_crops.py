"""Crops are mot2reid's to the pixel, and what a rule takes is counted."""

from pathlib import Path

import numpy as np
import pytest
from mot_factory import write_gt, write_mot_sequence

from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules, check_frames, choose_boxes
from reidops.mot.sequences import Sequence, read_sequence

WIDTH, HEIGHT = 160, 96


@pytest.fixture
def sequence(tmp_path: Path) -> Sequence:
    return read_sequence(write_mot_sequence(tmp_path / "TOY-01", width=WIDTH, height=HEIGHT))


def pixels(
    sequence: Sequence, box: tuple[float, float, float, float], rules: BoxRules = BoxRules()
) -> list[tuple[int, ...]]:  # noqa: B008
    write_gt(sequence.folder, [(1, 1, *box, 1, 1, 1.0)])
    boxes, _ = choose_boxes(sequence, rules)
    return list(boxes[["x1", "y1", "x2", "y2"]].itertuples(index=False, name=None))


def mot2reid_pixels(left: float, top: float, width: float, height: float) -> tuple[int, ...]:
    """Return what mot2reid cuts: truncate, clip to the last pixel, end included."""
    x1, y1, x2, y2 = (int(edge) for edge in (left, top, left + width, top + height))
    return (
        min(max(x1, 0), WIDTH - 1),
        min(max(y1, 0), HEIGHT - 1),
        min(max(x2, 0), WIDTH - 1),
        min(max(y2, 0), HEIGHT - 1),
    )


@pytest.mark.parametrize(
    "box",
    [
        (10, 20, 12, 30),
        (0.5, 0.5, 3.9, 4.9),
        (-5.7, -3.2, 20, 30),
        (150, 80, 40, 40),
        (0.7, 5, 2.3, 9),
        (1, 1, 160, 96),
        (99.1, 3, 0.2, 5),
    ],
)
def test_the_pixels_are_those_of_mot2reid(sequence: Sequence, box: tuple[float, float, float, float]) -> None:
    assert pixels(sequence, box) == [mot2reid_pixels(*box)]


def test_random_boxes_have_the_pixels_of_mot2reid(sequence: Sequence) -> None:
    rng = np.random.default_rng(0)
    boxes = np.round(
        np.column_stack([rng.uniform(-8, 150, 300), rng.uniform(-8, 90, 300), rng.uniform(9, 40, (300, 2))]), 2
    )
    write_gt(sequence.folder, [(1 + n % 12, 1 + n, *box, 1, 1, 1.0) for n, box in enumerate(boxes)])
    chosen, _ = choose_boxes(sequence, BoxRules())
    assert [tuple(row) for row in chosen[["x1", "y1", "x2", "y2"]].to_numpy()] == [
        mot2reid_pixels(*box) for box in boxes
    ]


def test_a_box_wholly_outside_the_frame_is_left_out_and_counted(sequence: Sequence) -> None:
    write_gt(sequence.folder, [(1, 1, 200, 10, 12, 30, 1, 1, 1.0), (2, 1, 20, 10, 12, 30, 1, 1, 1.0)])
    boxes, taken = choose_boxes(sequence, BoxRules())
    assert boxes["path"].tolist() == ["imgs/TOY-01_000001/000001.jpg"]  # 000000 is mot2reid's strip of the border
    assert taken["wholly outside the frame"] == 1


def test_every_rule_counts_what_it_takes(sequence: Sequence) -> None:
    box = (20, 10, 12, 30)
    rows = [
        (1, 1, *box, 1, 1, 1.0),
        (2, 1, *box, 1, 7, 1.0),
        (3, 1, *box, 0, 1, 1.0),
        (4, 1, *box, 1, 1, 0.29),
        (5, 1, 20, 10, 3, 30, 1, 1, 1.0),
        (6, 1, *box, 1, 1, 1.0),
        (7, 1, *box, 1, 1, 0.3),
    ]
    write_gt(sequence.folder, rows)
    boxes, taken = choose_boxes(sequence, BoxRules(min_width=5, stride=2))
    assert boxes["frame"].tolist() == [1, 7]
    assert dict(taken) == {
        "boxes": 7,
        "another class": 1,
        "not considered": 1,
        "visibility below vis_threshold": 1,
        "smaller than min_width × min_height": 1,
        "frames between the stride": 1,
    }


def test_the_flag_is_ignored_on_request(sequence: Sequence) -> None:
    write_gt(sequence.folder, [(1, 1, 20, 10, 12, 30, 0, 1, 1.0)])
    assert len(choose_boxes(sequence, BoxRules())[0]) == 0
    assert len(choose_boxes(sequence, BoxRules(considered_only=False))[0]) == 1


def test_a_stride_does_not_rename_the_crops_that_stay(sequence: Sequence) -> None:
    every, _ = choose_boxes(sequence, BoxRules())
    third, _ = choose_boxes(sequence, BoxRules(stride=3))
    assert set(third["frame"]) == {1, 4, 7, 10}
    named = dict(zip(zip(every["track_id"], every["frame"], strict=True), every["path"], strict=True))
    assert [named[key] for key in zip(third["track_id"], third["frame"], strict=True)] == third["path"].tolist()


def test_crops_are_counted_in_the_order_of_the_file(sequence: Sequence) -> None:
    write_gt(sequence.folder, [(frame, 4, 20, 10, 12, 30, 1, 1, 1.0) for frame in (9, 2, 5)])
    boxes, _ = choose_boxes(sequence, BoxRules())
    assert dict(zip(boxes["frame"], boxes["path"].str[-10:], strict=True)) == {
        9: "000000.jpg",
        2: "000001.jpg",
        5: "000002.jpg",
    }


def test_a_missing_frame_is_named(sequence: Sequence) -> None:
    sequence.frame_path(7).unlink()
    check_frames(sequence, 1, 6)
    with pytest.raises(ReidopsError, match=r"000007\.jpg: the frame is missing \(1 of 12 are\)"):
        check_frames(sequence, 1, 12)
