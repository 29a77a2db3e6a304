"""Names of data sets without their protocol, and names of families of sets that show the same people."""

# Sets that were cut from the same videos, so that they share people.
_FAMILIES = {
    "MOT15": "MOT17",
    "MOT16": "MOT17",
    "MARS": "Market-1501",
    "DukeMTMC-VideoReID": "DukeMTMC-reID",
    "PRID450S": "PRID2011",
}


def base_name(dataset: str) -> str:
    """Return a set's name without its protocol.

    >>> base_name("CUHK03:labeled")
    'CUHK03'
    """
    return dataset.partition(":")[0]


def family_of(dataset: str) -> str:
    """Return the family of a set: sets of one family share scenes and people, as MOT15, MOT16 and MOT17 do.

    >>> family_of("MOT16"), family_of("MOT20"), family_of("MARS")
    ('MOT17', 'MOT20', 'Market-1501')
    """
    return _FAMILIES.get(base_name(dataset), base_name(dataset))
