"""The published ReID sets that the pipeline knows, by name and by layout, and which sets show the same people.

A set with several published protocols is named with one of them, `CUHK03:labeled`; without, its first one is meant.
"""

from reidops.datasets import (
    cuhk01, cuhk03, dukemtmc_reid, dukemtmc_videoreid, file_list, folder_per_identity, grid, ilids_vid, market1501, mars, msmt17, prid450s,
    prid2011, sensereid, veri776, viper,
)  # fmt: skip
from reidops.datasets.reid_set import ReidSet
from reidops.errors import ReidopsError

_KNOWN = (
    market1501, dukemtmc_reid, msmt17, cuhk03, veri776, viper, grid, cuhk01, prid450s, sensereid, mars, ilids_vid, prid2011, dukemtmc_videoreid,
)  # fmt: skip
SETS: dict[str, ReidSet] = {module.SET.name: module.SET for module in _KNOWN}
# Set → protocol ("*" = any) → train, query, gallery → (people, crops or tracklets).
PUBLISHED_COUNTS: dict[str, dict[str, dict[str, tuple[int, int]]]] = {module.SET.name: module.PUBLISHED_COUNTS for module in _KNOWN}
# Layouts in which people keep sets of their own, under any name; the most particular first.
GENERIC: tuple[ReidSet, ...] = (market1501.SET, file_list.SET, folder_per_identity.SET)
LAYOUTS: dict[str, ReidSet] = {known.layout: known for known in (*SETS.values(), *GENERIC)}

# Sets cut from the same videos: whoever trains on one has seen people of the other.
_FAMILIES = {
    "MOT15": "MOT17", "MOT16": "MOT17", "MARS": "Market-1501", "DukeMTMC-VideoReID": "DukeMTMC-reID", "PRID450S": "PRID2011",
}  # fmt: skip


def base_name(dataset: str) -> str:
    """Return a set's name without its protocol.

    >>> base_name("CUHK03:labeled")
    'CUHK03'
    """
    return dataset.partition(":")[0]


def family_of(dataset: str) -> str:
    """Return the name that sets with the same scenes and people share: MOT15, MOT16 and MOT17 are one, Market-1501 and MARS another.

    >>> family_of("MOT16"), family_of("MOT20"), family_of("MARS")
    ('MOT17', 'MOT20', 'Market-1501')
    """
    return _FAMILIES.get(base_name(dataset), base_name(dataset))


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
