"""Obtain the data sets, and assign their frames to the parts train, adapt, test and track.

Reads:  params (names, addresses, the user's folder), the files of download.leave_out
Writes: data/raw/ parts.csv, inventory.json, leave_out.json (if download.leave_out names a file), the sets that were
        generated, fetched or unpacked, and seqinfo.ini of each video of download.videos; fetched archives are kept in
        data/archives/
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reidops.datasets.exports import Reading, in_mot_layout
from reidops.datasets.families import base_name
from reidops.datasets.inventory import write_inventory
from reidops.datasets.layouts import SetFolder
from reidops.datasets.leave_out import read_leave_out, write_leave_out
from reidops.datasets.obtaining import SYNTHETIC, Sources, obtain_set, with_protocol_of
from reidops.datasets.roles import Roles, assign_parts
from reidops.datasets.videos import write_video_set
from reidops.files import repository_root, whole_folder
from reidops.mot.synthetic.writing import write_synthetic
from reidops.parts import write_parts
from stages import run_stage
from stages.params.download import DownloadParams

log = logging.getLogger(__name__)

_WITHOUT = {
    "train": "no crops are cut for training; train needs train.epochs: 0, and keeps train.weights or train.pretrained",
    "test": "there are no queries, and evaluate_reid only calibrates the gates",
    "track": "nothing is detected, embedded or tracked, and register compares no scores",
}


def download(raw: Path, params: DownloadParams) -> None:
    """Obtain every named set, and write the table of parts, `raw/parts.csv`."""
    roles = _roles(params)
    with whole_folder(raw) as folder:
        sets: dict[str, SetFolder] = {}
        for name in roles.names:
            sets[name] = _obtain(name, folder, params, sets)
        if params.videos is not None:
            videos = write_video_set(params.videos, folder)
            sets[videos.name] = videos
            roles = replace(roles, adapt=(*roles.adapt, videos.name))
        parts = assign_parts(sets, roles)
        write_leave_out(read_leave_out(params.leave_out, parts), folder)
        write_parts(parts, folder, params.local)
        write_inventory(parts, folder, {name: found.source for name, found in sets.items()})
        bare = [
            part.sequence
            for part in parts
            if part.layout == "mot"
            and part.part in ("track", "adapt")
            and not (part.folder / "det" / "det.txt").is_file()
        ]
    roles_shown = ("train", "test", "track", *(("adapt",) if roles.adapt else ()))
    counts = ", ".join(f"{sum(part.part == name for part in parts)} {name}" for name in roles_shown)
    for name in (name for name in ("train", "test", "track") if not getattr(roles, name)):
        log.info("download.%s is []: %s", name, _WITHOUT[name])
    if bare:
        log.warning(
            "%s: no det/det.txt; detect will stop unless detect.source names a detector or your own files",
            ", ".join(bare),
        )
    log.info("obtained %s: %s parts", ", ".join(f"{name} ({found.source})" for name, found in sets.items()), counts)


def _obtain(name: str, raw: Path, params: DownloadParams, sets: Mapping[str, SetFolder]) -> SetFolder:
    """Return the set. A set that is named again with another protocol is obtained once."""
    twin = next((found for known, found in sets.items() if base_name(known) == base_name(name)), None)
    if twin is not None:
        return with_protocol_of(name, twin)
    if name == SYNTHETIC:
        write_synthetic(raw / name, params.synthetic)
        return SetFolder(name, "mot", raw / name, f"drawn from seed {params.synthetic.seed}")
    urls = {key: tuple(addresses) for key, addresses in params.urls.items()}
    sources = Sources(params.local, urls, params.hashes, tuple(params.detectors))
    found = obtain_set(name, raw, repository_root() / "data" / "archives", sources)
    reading = Reading(params.formats, params.people)
    return in_mot_layout(found, raw, reading, params.local) if found.layout == "mot" else found


def _roles(params: DownloadParams) -> Roles:
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
        adapt=tuple(params.adapt),
        adapt_on_test_frames=params.adapt_on_test_frames,
    )


if __name__ == "__main__":
    run_stage(download)
