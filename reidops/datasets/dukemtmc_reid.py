"""The published layout of DukeMTMC-reID: folders as in Market-1501, files like `0001_c2_f0046182.jpg`, cameras 1 … 8.

The gallery holds 408 people without a query, who have their own numbers.
"""

import re
from pathlib import Path

from reidops.datasets.fetching import Archive
from reidops.datasets.market1501 import list_like_market, reads
from reidops.datasets.reid_set import Listing, ReidSet

# Protocol → role → (people, crops).
PUBLISHED_COUNTS = {"": {"train": (702, 16_522), "query": (702, 2_228), "gallery": (1_110, 17_661)}}

_FILE_NAME = re.compile(r"(?P<pid>(?!0000)\d{4})_c(?P<camera>[1-8])_f(?P<frame>\d+)\.jpg")
_EXAMPLE = "0001_c2_f0046182.jpg (person, camera 1 … 8, frame)"


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the published training people, or query and gallery."""
    return list_like_market(folder, part, _FILE_NAME, _EXAMPLE)


SET = ReidSet(
    name="DukeMTMC-reID",
    layout="dukemtmc-reid",
    folder_names=("DukeMTMC-reID", "dukemtmc-reid/DukeMTMC-reID", "dukemtmc-reid"),
    archive_names=("DukeMTMC-reID.zip",),
    list_part=list_part,
    reads=reads,
    ways=((Archive("DukeMTMC-reID.zip", ("http://vision.cs.duke.edu/DukeMTMC/data/misc/DukeMTMC-reID.zip",)),),),
    how_to_ask="DukeMTMC-reID is no longer available from its authors: unpack a copy that you may use",
    notice=(
        "its authors withdrew DukeMTMC in 2019 for ethical reasons; use it only for comparison with published results, "
        "and another data set for new work"
    ),
)
