"""Get the data sets, and say which frames of which sequence train, test and are tracked.

Reads:  params (names, addresses, the user's folder) Writes: data/raw/ parts.csv, inventory.json, and the sets that were
drawn, fetched or unpacked; fetched archives stay in data/archives/
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from reidops.files import repository_root, whole_folder
from reidops.mot.synthetic import SyntheticParams
from reidops.params import params_dataclass
from reidops.parts import write_parts
from stages import run_stage

if TYPE_CHECKING:
    from reidops.datasets.layouts import SetFolder
    from reidops.datasets.roles import Roles

log = logging.getLogger(__name__)

Addresses = Annotated[list[str], Field(min_length=1)]
Hash = Annotated[str, Field(pattern="^(md5|sha256):[0-9a-fA-F]+$")]


@params_dataclass
class DownloadParams:
    """Sets are synthetic, MOT15, MOT16, MOT17, MOT20, a published ReID set, or a folder below `local` in a known
    layout.
    """

    local: str | None = None  # folder that holds sets in their published layout; null = fetch what can be fetched
    train: list[str] = Field(default=["synthetic"], min_length=1)  # sets whose people train
    test: list[str] = Field(default=["synthetic"], min_length=1)  # sets whose people are searched for
    track: list[str] = Field(default=["synthetic"])  # MOT sets that are tracked
    # scenes or sequences that are tested and tracked; [] = all of the tracked sets
    sequences: list[str] = Field(default=["05", "06"])
    # copies to track; crops come from the first
    detectors: list[Literal["DPM", "FRCNN", "SDP"]] = Field(default=["FRCNN"], min_length=1)
    split: Literal["scene", "half", "k-fold", "identity"] = "scene"  # how a set that trains and is tested is divided
    num_folds: Annotated[int, Field(ge=2)] = 5  # k-fold: parts into which the scenes are divided
    fold: Annotated[int, Field(ge=0)] = 0  # k-fold: the part that is tested and tracked
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.5  # identity: share of each scene's people who are tested
    urls: dict[str, Addresses] = Field(default={})  # set → addresses to fetch it from, in the order to try them
    hashes: dict[str, Hash] = Field(default={})  # set → md5:… or sha256:… of its archive
    # Pixels of the largest picture that any stage decodes; a change of it changes no result.
    max_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    synthetic: SyntheticParams = Field(default_factory=SyntheticParams)  # what is drawn


def download(raw: Path, params: DownloadParams) -> None:
    """Bring every named set to this disk and write who plays which part to `raw/parts.csv`."""
    from reidops.datasets.inventory import write_inventory
    from reidops.datasets.roles import assign_parts

    roles = _roles(params)
    with whole_folder(raw) as folder:
        sets: dict[str, SetFolder] = {}
        for name in roles.names:
            sets[name] = _obtain(name, folder, params, sets)
        parts = assign_parts(sets, roles)
        write_parts(parts, folder, params.local)
        write_inventory(parts, folder, {name: found.source for name, found in sets.items()})
        bare = [
            part.sequence for part in parts if part.part == "track" and not (part.folder / "det" / "det.txt").is_file()
        ]
    counts = ", ".join(f"{sum(part.part == name for part in parts)} {name}" for name in ("train", "test", "track"))
    if not roles.track:
        log.warning(
            "download.track is empty: `dvc repro export evaluate_reid` is as far as it goes, evaluate_tracking will "
            "stop"
        )
    if bare:
        log.warning(
            "%s: no det/det.txt; detect will stop unless detect.source names a detector or files of yours",
            ", ".join(bare),
        )
    log.info("got %s: %s parts", ", ".join(f"{name} ({found.source})" for name, found in sets.items()), counts)


def _obtain(name: str, raw: Path, params: DownloadParams, sets: Mapping[str, "SetFolder"]) -> "SetFolder":
    """Return the set; one that is named again with another protocol is got once."""
    from reidops.datasets.families import base_name
    from reidops.datasets.layouts import SetFolder
    from reidops.datasets.obtaining import SYNTHETIC, Sources, obtain_set, with_protocol_of
    from reidops.mot.synthetic import write_synthetic

    twin = next((found for known, found in sets.items() if base_name(known) == base_name(name)), None)
    if twin is not None:
        return with_protocol_of(name, twin)
    if name == SYNTHETIC:
        write_synthetic(raw / name, params.synthetic)
        return SetFolder(name, "mot", raw / name, f"drawn from seed {params.synthetic.seed}")
    urls = {key: tuple(addresses) for key, addresses in params.urls.items()}
    sources = Sources(params.local, urls, params.hashes, tuple(params.detectors))
    return obtain_set(name, raw, repository_root() / "data" / "archives", sources)


def _roles(params: DownloadParams) -> "Roles":
    from reidops.datasets.roles import Roles

    return Roles(
        tuple(params.train),
        tuple(params.test),
        tuple(params.track),
        sequences=tuple(params.sequences),
        detectors=tuple(params.detectors),
        split=params.split,
        num_folds=params.num_folds,
        fold=params.fold,
        test_share=params.test_share,
    )


if __name__ == "__main__":
    run_stage(download, DownloadParams)
