"""Read the seed noise of a score, which widens the intervals of a promotion."""

from pathlib import Path

from scipy.special import stdtrit

from reidops.files import read_json
from reidops.registry.comparison import SeedSpread

LEAST_TRAININGS = 3
"""With fewer trainings the standard deviation is too uncertain."""


def read_spread(path: Path, score: str) -> SeedSpread:
    """Return the spread of a combined tracking score; the half width is 0 for fewer than LEAST_TRAININGS trainings.

    Raises:
        ReidopsError: the file is missing or not valid JSON.
    """
    found = read_json(path)
    std = found["figures"][f"tracking/{score}"]["std"]
    if found["num"] < LEAST_TRAININGS:
        return SeedSpread(found["num"], std)
    return SeedSpread(found["num"], std, float(stdtrit(found["num"] - 1, 0.975)) * std)
