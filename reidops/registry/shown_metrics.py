"""Choose the metrics that MLflow shows, so that its charts and tables stay readable."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

ORDER = (
    "reid/*/mAP",
    "reid/*/rank1",
    "tracking/appearance/IDF1",
    "tracking/no_appearance/IDF1",
    "tracking/random/IDF1",
    "tracking/gain/IDF1*",
    "tracking/over_random/IDF1*",
    "tracking/appearance/[HMA]*[AC]",
    "tracking/appearance/IDSW",
    "tracking/headroom/IDF1",
    "tracking/decided/share",
    "calibration/eer*",
    "calibration/gates/*",
    "export/max_abs_difference",
    "tracking/no_appearance/[HMA]*[AC]",
    "tracking/no_appearance/IDSW",
    "tracking/oracle/IDF1",
    "tracking/gain/[HMA]*",
    "data/num_*people",
    "data/num_*crops",
    "reid/*/rank5",
    "reid/*/mINP",
    "tracking/*",
)
"""Patterns of names, the most important first."""

_SEQUENCE_DEPTH = 4  # tracking/<arm>/<sequence>/<score>


def shown_metrics(metrics: Mapping[str, float], most: int) -> dict[str, float]:
    """Return at most `most` metrics in the order of ORDER, combined figures before those of single sequences."""
    chosen = dict.fromkeys(name for single in (False, True) for name in _matching(metrics, single))
    names = [*chosen, *sorted(name for name in metrics if name not in chosen)]
    return {name: metrics[name] for name in names[: max(most, 0)]}


def _matching(metrics: Mapping[str, float], single: bool) -> Iterator[str]:
    for pattern in ORDER:
        for name in sorted(metrics):
            if fnmatchcase(name, pattern) and (name.count("/") + 1 >= _SEQUENCE_DEPTH) is single:
                yield name
