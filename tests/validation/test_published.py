"""Published counts are known for sequences of the published length only."""

from pathlib import Path

import pytest

from reidops.mot.sequences import Sequence, read_annotations, read_sequence
from reidops.validation.published import PUBLISHED, published_counts

pytestmark = pytest.mark.slow


def sequence(name: str, length: int) -> Sequence:
    return Sequence(name, name, Path(name) / "img1", length, 30, 1920, 1080)


@pytest.mark.parametrize(
    ("dataset", "boxes", "people"), [("MOT16", 110_407, 517), ("MOT17", 112_297, 546), ("MOT20", 1_134_614, 2_215)]
)
def test_the_sequences_add_up_to_the_published_totals(dataset, boxes, people):
    counts = [counts for name, counts in PUBLISHED.items() if name.startswith(dataset)]
    assert (sum(c.boxes for c in counts), sum(c.people for c in counts)) == (boxes, people)


def test_the_half_counts_add_up_to_those_of_bytetrack():
    counts = [counts for counts in PUBLISHED.values() if counts.half_boxes is not None]
    assert len(counts) == 7
    assert (sum(c.half_boxes for c in counts), sum(c.half_people for c in counts)) == (53_890, 339)
    assert sum(c.length - (c.length // 2 + 1) for c in counts) == 2_652


def test_every_detector_copy_is_known_at_its_published_length_only():
    assert (
        published_counts(sequence("MOT17-09-DPM", 525))
        == published_counts(sequence("MOT17-09-SDP", 525))
        == PUBLISHED["MOT17-09"]
    )
    assert published_counts(sequence("MOT17-09-FRCNN", 262)) is None
    assert published_counts(sequence("TOY-01", 12)) is None


def test_real_whole_sequences_have_the_published_counts(real_data):
    for folder in sorted((real_data / "tracking-results" / "MOT17").glob("MOT17-*")):
        whole = read_sequence(folder)
        boxes = read_annotations(whole).query("class_id == 1 and considered")
        expected = published_counts(whole)
        assert (len(boxes), boxes["track_id"].nunique()) == (expected.boxes, expected.people)
        half = boxes[boxes["frame"] > whole.length // 2 + 1]
        assert (len(half), half["track_id"].nunique()) == (expected.half_boxes, expected.half_people)
