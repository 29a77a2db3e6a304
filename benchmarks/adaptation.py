"""Measure the adaptation without labels: on Market-1501, and its clustering on drawn embeddings.

python benchmarks/adaptation.py --market FOLDER --weights osnet_x0_25_msmt17.pt [--rounds 6] [--set NAME=VALUE …]
python benchmarks/adaptation.py --drawn 100000

- --market: tracklets are runs of a person's frames in one camera and sequence; the people themselves are in
  truth.parquet only, which only reports read. The test people are ranked before and after. `--set` changes params of
  the section `adapt` of recipes/default.yaml.
- --drawn: seconds and memory of the Jaccard graph and the clusters of embeddings with 20 crops per person.
"""

import argparse
import logging
import os
import resource
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # stages are not installed; they belong to the repository

from reidops.adaptation.clustering import ClusterSettings, cluster_units
from reidops.adaptation.constraints import Rivals
from reidops.cores import share_cores
from reidops.datasets.origin import origin_of_start
from reidops.datasets.packing import CropSource, pack_crops
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import CropStore
from reidops.embedding.network import EmbeddingNetwork
from reidops.files import read_json, write_json
from reidops.memory import keep_freed_memory
from reidops.params import check_all
from reidops.retrieval.crop_embedding import embed_rows
from reidops.retrieval.ranking import score_embeddings
from reidops.tables import CROPS, TRACKLET_TRUTH, TRACKLETS, write_table
from reidops.training.weights import load_weights
from stages.adapt import adapt
from stages.params import SECTIONS
from stages.params.adapt import AdaptParams

ROOT = Path(__file__).resolve().parents[1]
GAP = 100  # frames between two crops of a run, at most
NETWORK = {"backbone": "osnet_x0_25", "embedding_dim": 0, "pooling": "avg", "last_stride": 2}


def list_crops(folder: Path, split: str) -> pd.DataFrame:
    """Return the pictures of a folder of Market-1501 without junk: pid, camid, scene (sequence) and frame."""
    files = sorted(path for path in folder.glob("*.jpg") if not path.name.startswith("-1"))
    parts = [path.stem.replace("s", "_").split("_") for path in files]
    rows = {
        "file": [str(path) for path in files],
        "path": [f"imgs/{split}/{path.name}" for path in files],
        "person": [int(part[0]) for part in parts],
        "camid": [int(part[1][1:]) - 1 for part in parts],
        "scene": [f"s{part[2]}" for part in parts],
        "frame": [int(part[3]) for part in parts],
        "split": split,
    }
    return pd.DataFrame(rows)


def write_crops(rows: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Pack the pictures into crops.tar and write crops.parquet."""
    folder.mkdir(parents=True)
    sources = [CropSource(path, file) for path, file in zip(rows["path"], rows["file"], strict=True)]
    packed = pack_crops(sources, folder / "crops.tar")
    table = rows.assign(**dict(zip(["offset", "size", "width", "height"], packed.T, strict=True)))
    table = table.assign(dataset="Market-1501", track_id=-1, visibility=1.0)
    write_table(table[list(CROPS.columns)], folder / "crops.parquet", CROPS)
    return table


def write_tracklets(folder: Path, market: Path) -> None:
    """Write the runs of the training people's frames as tracklets without labels."""
    rows = list_crops(market / "bounding_box_train", "adapt")
    rows = rows.sort_values(["person", "camid", "scene", "frame"], ignore_index=True)
    same = rows[["person", "camid", "scene"]].eq(rows[["person", "camid", "scene"]].shift()).all(axis=1)
    rows["tracklet"] = (~(same & (rows["frame"].diff() <= GAP))).cumsum()
    write_crops(rows.assign(pid=-1), folder)
    of_tracklet = rows.groupby("tracklet")
    tracklets = of_tracklet.agg(
        scene=("scene", "first"), camid=("camid", "first"), first_frame=("frame", "min"), last_frame=("frame", "max"),
        num_boxes=("frame", "size"),
    ).reset_index()  # fmt: skip
    write_table(tracklets.assign(dataset="Market-1501"), folder / "tracklets.parquet", TRACKLETS)
    truth = of_tracklet["person"].first().rename("pid").reset_index().assign(share=1.0)
    write_table(truth, folder / "truth.parquet", TRACKLET_TRUTH)
    counts = {"num_tracklets": len(tracklets), "num_crops": len(rows)}
    write_json(counts | {"transductive": False, "sequences": {}}, folder / "report.json")
    print(f"{len(rows):,} crops in {len(tracklets):,} tracklets", flush=True)


def write_tests(folder: Path, market: Path) -> None:
    """Write query and gallery; pid 0 is a distractor."""
    sides = [list_crops(market / name, side) for name, side in (("query", "query"), ("bounding_box_test", "gallery"))]
    rows = pd.concat(sides, ignore_index=True)
    write_crops(rows.assign(pid=rows["person"].where(rows["person"] > 0, -1), tracklet=-1), folder)


def write_model(folder: Path, weights: Path) -> None:
    """Write the folder of the embedder with these published weights."""
    network = EmbeddingNetwork(**NETWORK)
    load_weights(network, weights)
    description = describe(network, **NETWORK, height=256, width=128, num_classes=0)
    Embedder(network, description).save(folder, trained_on=origin_of_start(weights, pretrained=False).facts)


def rank(model: Path, folder: Path) -> str:
    """Return mAP and rank1 of the test people."""
    table = pd.read_parquet(folder / "crops.parquet")
    store, embedder = CropStore(folder / "crops.tar", table), Embedder.load(model)
    embeddings = embed_rows(embedder, store, np.arange(len(table)), 64, 1)
    query, gallery = ((table["split"] == side).to_numpy() for side in ("query", "gallery"))
    labels = {
        f"{side}_{name}s": table.loc[rows, name].to_numpy()
        for side, rows in (("query", query), ("gallery", gallery))
        for name in ("pid", "camid")
    }
    scores = score_embeddings(embeddings[query], embeddings[gallery], **labels)
    return f"mAP {scores.mAP:.4f}, rank1 {scores.rank1:.4f}"


def measure_market(options: argparse.Namespace) -> None:
    """Adapt on the training crops without labels, and rank the test people before and after."""
    folder = options.folder
    if not (folder / "trained").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        write_tracklets(folder / "tracklets", options.market)
        write_tests(folder / "crops", options.market)
        write_model(folder / "trained", options.weights)
    os.environ["DVC_ROOT"] = str(folder)
    section = check_all(SECTIONS, ROOT / "recipes" / "default.yaml")["adapt"]
    changes = dict(change.split("=", 1) for change in options.set)
    values = vars(section) | {"rounds": options.rounds, "track": None}
    params = AdaptParams(**values | {name: yaml.safe_load(value) for name, value in changes.items()})
    if not options.only_after:
        print("before:", rank(folder / "trained", folder / "crops"), flush=True)
    started = time.perf_counter()
    adapt(folder / "trained", folder / "tracklets", folder / "crops", folder / options.name, params)
    print(f"adapted in {time.perf_counter() - started:.0f} s, {_memory():.2f} GB", flush=True)
    print(pd.read_csv(folder / options.name / "adaptation.csv").to_string(index=False))
    print("kept round", read_json(folder / options.name / "adaptation.json")["kept_round"])
    print("after:", rank(folder / options.name, folder / "crops"), flush=True)


def measure_drawn(num: int, clustering: str) -> None:
    """Print seconds and memory of the graph and the clusters of drawn embeddings."""
    rng = np.random.default_rng(0)
    people = np.arange(num) % max(1, num // 20)
    rows = rng.standard_normal((people.max() + 1, 256), np.float32)[people]
    rows += rng.standard_normal(rows.shape, np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    settings = replace(ClusterSettings(k1=20, k2=6), clustering=clustering, eps=0.7 if clustering == "average" else 0.5)
    started = time.perf_counter()
    labels, _ = cluster_units(rows, np.arange(num), Rivals(np.empty((0, 2), np.int64), num), settings)
    print(f"{num:,} drawn crops, {clustering}: {time.perf_counter() - started:.1f} s, {_memory():.2f} GB at most")
    print(f"{len(np.unique(labels[labels >= 0])):,} clusters of {people.max() + 1:,} people")


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", type=Path, metavar="FOLDER")
    parser.add_argument("--weights", type=Path, metavar="FILE")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/adapt-market"), help="data and models; data are kept")
    parser.add_argument("--name", default="model", help="folder of the adapted model in --folder")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only-after", action="store_true", help="do not rank with the start weights")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--drawn", type=int, metavar="CROPS")
    parser.add_argument("--clustering", choices=["average", "dbscan", "hdbscan"], default="average")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    for name in ("reidops", "stages"):
        logging.getLogger(name).setLevel(logging.INFO)
    keep_freed_memory()
    if options.drawn:
        measure_drawn(options.drawn, options.clustering)
    elif options.market and options.weights:
        measure_market(options)
    else:
        parser.error("give --drawn CROPS, or --market FOLDER and --weights FILE")


if __name__ == "__main__":
    share_cores()
    main()
