"""The supported ReID sets, by name and by layout.

The name of a set may end with one of its published protocols, `CUHK03:labeled`; the default is its first protocol.
"""

from reidops.datasets import (
    cuhk01,
    cuhk03,
    dukemtmc_reid,
    dukemtmc_videoreid,
    file_list,
    folder_per_identity,
    grid,
    ilids_vid,
    market1501,
    mars,
    msmt17,
    prid450s,
    prid2011,
    sensereid,
    veri776,
    viper,
)
from reidops.datasets.reid_set import ReidSet
from reidops.errors import ReidopsError

_KNOWN = (
    market1501, dukemtmc_reid, msmt17, cuhk03, veri776, viper, grid, cuhk01, prid450s, sensereid, mars, ilids_vid,
    prid2011, dukemtmc_videoreid,
)  # fmt: skip
SETS: dict[str, ReidSet] = {module.SET.name: module.SET for module in _KNOWN}
# Set → protocol ("*" for any) → train, query, gallery → (people, crops or tracklets).
PUBLISHED_COUNTS: dict[str, dict[str, dict[str, tuple[int, int]]]] = {
    module.SET.name: module.PUBLISHED_COUNTS for module in _KNOWN
}
# Layouts of own data sets with any name, the most specific first.
GENERIC: tuple[ReidSet, ...] = (market1501.SET, file_list.SET, folder_per_identity.SET)
LAYOUTS: dict[str, ReidSet] = {known.layout: known for known in (*SETS.values(), *GENERIC)}


def protocol_of(dataset: str, known: ReidSet) -> str:
    """Return the protocol in a name, the first one of the set if there is none.

    Raises:
        ReidopsError: the set has no such protocol.
    """
    protocol = dataset.partition(":")[2]
    if not protocol:
        return known.protocols[0]
    if protocol not in known.protocols:
        has = ", ".join(known.protocols[:24]) if known.protocols != ("",) else f"one only, use {known.name}"
        raise ReidopsError(f"download: {dataset} has a protocol that {known.name} does not have; its protocols: {has}")
    return protocol
