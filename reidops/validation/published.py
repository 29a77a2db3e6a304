"""Published counts of MOTChallenge sequences, to detect sequences that are incomplete or were changed."""

from dataclasses import dataclass

from reidops.mot.sequences import DETECTORS, Sequence


@dataclass(frozen=True)
class PublishedCounts:
    """Published counts of one training sequence: frames, considered pedestrian boxes (class 1) and people.

    The half counts are those of ByteTrack's validation half, which starts at frame length // 2 + 2.
    """

    length: int
    boxes: int
    people: int
    half_boxes: int | None = None
    half_people: int | None = None


PUBLISHED = {
    "MOT16-02": PublishedCounts(600, 17_833, 54),
    "MOT16-04": PublishedCounts(1050, 47_557, 83),
    "MOT16-05": PublishedCounts(837, 6_818, 125),
    "MOT16-09": PublishedCounts(525, 5_257, 25),
    "MOT16-10": PublishedCounts(654, 12_318, 54),
    "MOT16-11": PublishedCounts(900, 9_174, 69),
    "MOT16-13": PublishedCounts(750, 11_450, 107),
    "MOT17-02": PublishedCounts(600, 18_581, 62, 9_880, 53),
    "MOT17-04": PublishedCounts(1050, 47_557, 83, 24_178, 69),
    "MOT17-05": PublishedCounts(837, 6_917, 133, 3_357, 71),
    "MOT17-09": PublishedCounts(525, 5_325, 26, 2_879, 22),
    "MOT17-10": PublishedCounts(654, 12_839, 57, 5_923, 36),
    "MOT17-11": PublishedCounts(900, 9_436, 75, 4_517, 44),
    "MOT17-13": PublishedCounts(750, 11_642, 110, 3_156, 44),
    "MOT20-01": PublishedCounts(429, 19_870, 74),
    "MOT20-02": PublishedCounts(2782, 154_742, 270),
    "MOT20-03": PublishedCounts(2405, 313_658, 702),
    "MOT20-05": PublishedCounts(3315, 646_344, 1_169),
}


def published_counts(sequence: Sequence) -> PublishedCounts | None:
    """Return the published counts of a sequence; None if it is unknown or does not have its published length."""
    name = sequence.name.removesuffix(f"-{sequence.detector}") if sequence.detector in DETECTORS else sequence.name
    counts = PUBLISHED.get(name)
    return counts if counts and counts.length == sequence.length else None
