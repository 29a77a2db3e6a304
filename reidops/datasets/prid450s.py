"""The published layout of PRID450S: cam_a and cam_b with one picture per person; `img_001.png` is the person's number.

The folders also hold masks and part labels; only `img_…` are pictures.
"""

import re
from pathlib import Path

from reidops.datasets.fetching import Archive
from reidops.datasets.reid_set import Listing, ReidSet
from reidops.datasets.two_views import PROTOCOLS, VIEWS, divide_people, list_views, with_splits

# All 450 people; one picture of each person in each role.
PUBLISHED_COUNTS = {"*": {"train": (225, 450), "query": (225, 225), "gallery": (225, 225)}}

_FILE_NAME = re.compile(r"img_(?P<pid>\d{1,4})\.png")
_EXAMPLE = "img_001.png (person)"


def reads(part: str, protocol: str = PROTOCOLS[0]) -> tuple[str, ...]:
    """Return the folders and files that each part reads; both parts read all folders."""
    return with_splits(VIEWS, protocol)


def list_part(folder: Path, part: str, protocol: str = PROTOCOLS[0]) -> Listing:
    """Return the crops of one half of the people; `two_views` defines the halves."""
    return divide_people(folder, list_views(folder, _FILE_NAME, ".png", _EXAMPLE, prefix="img_"), part, protocol)


SET = ReidSet(
    name="PRID450S",
    layout="prid450s",
    folder_names=("PRID450S", "prid_450s", "prid450s"),
    archive_names=("prid_450s.zip", "prid450s.zip"),
    protocols=PROTOCOLS,
    list_part=list_part,
    reads=reads,
    ways=((Archive("prid_450s.zip", ("https://files.icg.tugraz.at/f/8c709245bb/?raw=1",)),),),
    how_to_ask=(
        "PRID450S is described on https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/prid450s/:"
        " unpack prid_450s.zip"
    ),
)
