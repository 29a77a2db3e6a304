"""The published ReID sets that the pipeline knows, by name and by layout.

A set with several published protocols is named with one of them, `CUHK03:labeled`; without, its first one is meant.
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
# Set → protocol ("*" = any) → train, query, gallery → (people, crops or tracklets).
PUBLISHED_COUNTS: dict[str, dict[str, dict[str, tuple[int, int]]]] = {
    module.SET.name: module.PUBLISHED_COUNTS for module in _KNOWN
}
# Layouts in which people keep sets of their own, under any name; the most particular first.
GENERIC: tuple[ReidSet, ...] = (market1501.SET, file_list.SET, folder_per_identity.SET)
LAYOUTS: dict[str, ReidSet] = {known.layout: known for known in (*SETS.values(), *GENERIC)}


def protocol_of(dataset: str, known: ReidSet) -> str:
    """Return the protocol that a name asks for, the set's first where it names none.

    Raises:
        ReidopsError: the set has no such protocol.
    """
    asked = dataset.partition(":")[2]
    if not asked:
        return known.protocols[0]
    if asked not in known.protocols:
        has = ", ".join(known.protocols[:24]) if known.protocols != ("",) else "one protocol only"
        raise ReidopsError(f"download: {dataset} names a protocol that {known.name} has not; it has {has}")
    return asked
