"""The published ReID sets that the pipeline knows, by name and by layout, and which sets show the same people.

A set with several published protocols is named with one of them, `CUHK03:labeled`; without, its first one is meant.
"""

from reidops.datasets import market1501
from reidops.datasets.reid_set import ReidSet
from reidops.errors import ReidopsError

SETS: dict[str, ReidSet] = {known.name: known for known in (market1501.SET,)}
# Layouts in which people keep sets of their own, under any name.
GENERIC: tuple[ReidSet, ...] = (market1501.SET,)
LAYOUTS: dict[str, ReidSet] = {known.layout: known for known in SETS.values()}

# Sets cut from the same videos: whoever trains on one has seen people of the other.
_FAMILIES = {
    "MOT16": "MOT17", "MARS": "Market-1501", "DukeMTMC-VideoReID": "DukeMTMC-reID", "PRID450S": "PRID2011",
}  # fmt: skip


def base_name(dataset: str) -> str:
    """Return a set's name without its protocol.

    >>> base_name("CUHK03:labeled")
    'CUHK03'
    """
    return dataset.partition(":")[0]


def family_of(dataset: str) -> str:
    """Return the name that sets with the same scenes and people share: MOT16 and MOT17 are one, Market-1501 and MARS another.

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
