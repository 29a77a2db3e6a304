"""The published layout of VIPeR: cam_a and cam_b with one picture per person; `000_45.bmp` is person and angle [°]."""

import re
from pathlib import Path

from reidops.datasets.fetching import Archive
from reidops.datasets.reid_set import Listing, ReidSet
from reidops.datasets.two_views import PROTOCOLS, VIEWS, divide_people, list_views, with_splits

# All 632 people; one picture of each person in each role.
PUBLISHED_COUNTS = {"*": {"train": (316, 632), "query": (316, 316), "gallery": (316, 316)}}

_FILE_NAME = re.compile(r"(?P<pid>\d{3,4})_\d{1,3}\.bmp")
_EXAMPLE = "000_45.bmp (person, viewing angle)"


def reads(part: str, protocol: str = PROTOCOLS[0]) -> tuple[str, ...]:
    """Return the folders and files that each part reads; both parts read all folders."""
    return with_splits(VIEWS, protocol)


def list_part(folder: Path, part: str, protocol: str = PROTOCOLS[0]) -> Listing:
    """Return the crops of one half of the people; `two_views` defines the halves."""
    return divide_people(folder, list_views(folder, _FILE_NAME, ".bmp", _EXAMPLE), part, protocol)


SET = ReidSet(
    name="VIPeR",
    layout="viper",
    folder_names=("VIPeR", "viper/VIPeR", "viper", "VIPeR.v1.0"),
    archive_names=("VIPeR.v1.0.zip",),
    protocols=PROTOCOLS,
    list_part=list_part,
    reads=reads,
    ways=((Archive("VIPeR.v1.0.zip", ("http://users.soe.ucsc.edu/~manduchi/VIPeR.v1.0.zip",)),),),
    how_to_ask="VIPeR is described on https://vision.soe.ucsc.edu/node/178: unpack VIPeR.v1.0.zip",
)
