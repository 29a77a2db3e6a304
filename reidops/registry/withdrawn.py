"""Data sets that their authors withdrew."""

from collections.abc import Iterable

from reidops.datasets.families import base_name, family_of

WITHDRAWN = {"DukeMTMC-reID": "its authors withdrew DukeMTMC in 2019 for ethical reasons"}
"""Family of data sets → reason."""


def find_withdrawn(datasets: Iterable[str]) -> dict[str, str]:
    """Return those of the sets that their authors withdrew, without their protocols, with the reason.

    >>> find_withdrawn(["DukeMTMC-VideoReID", "Market-1501"])
    {'DukeMTMC-VideoReID': 'its authors withdrew DukeMTMC in 2019 for ethical reasons'}
    """
    return {base_name(name): WITHDRAWN[family_of(name)] for name in datasets if family_of(name) in WITHDRAWN}
