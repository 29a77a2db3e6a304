"""How near `convert` comes to the floor: every frame decoded once and every crop encoded once.

python benchmarks/convert.py --data ../shared/data [--workers 1 2] [--repeats 3]

All arms do the same crops of MOT17-09, in turn and in fresh processes, in one run; seconds are user + system time of a
process and its children, and wall time. What counts are the ratios.

- floor: the same decoder, encoder and number of processes; the boxes are given; the bytes are thrown away.
- convert: the stage's work, from gt.txt to crops.tar, crops.parquet, lists and report.
- mot2reid: its order of work: line by line, the frame decoded for every box, one file per crop.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

SEQUENCE = "MOT17-09-FRCNN"


def floor(data: Path, output: Path, workers: int) -> int:
    """Decode every frame once and encode every crop once; return the number of crops."""
    from reidops.mot.crops import BoxRules, choose_boxes
    from reidops.mot.sequences import read_sequence
    from reidops.parallel import map_parallel

    sequence = read_sequence(data / "MOT17" / "train" / SEQUENCE)
    boxes, _ = choose_boxes(sequence, BoxRules())
    frames = [(str(sequence.frame_path(frame)), rows[["x1", "y1", "x2", "y2"]].to_numpy()) for frame, rows in boxes.groupby("frame")]
    runs = [frames[start : start + 32] for start in range(0, len(frames), 32)]
    return sum(map_parallel(_decode_and_encode, runs, workers))


def _decode_and_encode(frames: list[tuple[str, np.ndarray]]) -> int:
    num_crops = 0
    for path, boxes in frames:
        frame = cv2.imread(path)  # the last frame stays alive until this one is there
        for x1, y1, x2, y2 in boxes:
            cv2.imencode(".jpg", frame[y1 : y2 + 1, x1 : x2 + 1])
            num_crops += 1
    return num_crops


def convert(data: Path, output: Path, workers: int) -> int:
    """Run the stage's work; return the number of crops."""
    from reidops.datasets.inventory import write_inventory
    from reidops.mot.sequences import read_sequence
    from reidops.parts import Part, write_parts
    from reidops.tables import CROPS, read_table
    from stages.convert import ConvertParams
    from stages.convert import convert as run

    sequence = read_sequence(data / "MOT17" / "train" / SEQUENCE)
    parts = [Part("train", "MOT17", "mot", sequence.folder, sequence.name, sequence.scene, 1, sequence.length)]
    write_parts(parts, output)
    write_inventory(parts, output, {"MOT17": f"local:{data}"})
    run(output, output / "crops", ConvertParams(min_per_person=1, workers=workers))
    return len(read_table(output / "crops" / "crops.parquet", CROPS))


def mot2reid(data: Path, output: Path, workers: int) -> int:
    """Work in mot2reid's order, which knows one process; return the number of crops."""
    folder = data / "MOT17" / "train" / SEQUENCE
    counts: dict[str, int] = {}
    for line in (folder / "gt" / "gt.txt").read_text().splitlines():
        frame, person, left, top, width, height, _, class_id, visibility = line.split(",")
        if class_id != "1" or float(visibility) < 0.3:
            continue
        image = cv2.imread(str(folder / "img1" / f"{int(frame):06d}.jpg"))
        edges = np.array([float(left), float(top), float(left) + float(width), float(top) + float(height)]).astype(int)
        x1, y1, x2, y2 = np.clip(edges, 0, np.array([*image.shape[1::-1], *image.shape[1::-1]]) - 1)
        counts[person] = counts.get(person, -1) + 1
        path = output / "imgs" / f"{SEQUENCE}_{int(person):06d}" / f"{counts[person]:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[y1 : y2 + 1, x1 : x2 + 1])
    return sum(counts.values()) + len(counts)


def pack(data: Path, output: Path, workers: int) -> int:
    """Pack Market-1501 by the stage's own writer; return the number of crops."""
    from reidops.datasets import market1501
    from reidops.datasets.packing import CropSource, pack_crops

    folder = data / market1501.FOLDER_NAMES[0]
    files = [*market1501.list_train(folder)[0]["file"], *market1501.list_test(folder)[0]["file"]]
    return len(pack_crops([CropSource(file.rpartition("/")[2], file) for file in files], output / "crops.tar", workers=workers))


def copy(data: Path, output: Path, workers: int) -> int:
    """Read and write Market-1501's bytes and do nothing else; return the number of crops."""
    folder = data / "Market-1501-v15.09.15"
    files = [path for name in ("bounding_box_train", "query", "bounding_box_test") for path in (folder / name).glob("*.jpg")]
    with open(output / "copied", "wb") as stream:
        for path in files:
            stream.write(path.read_bytes())
    return len(files)


ARMS = {arm.__name__: arm for arm in (floor, convert, mot2reid, copy, pack)}


def run_arm(arm: str, data: Path, workers: int) -> dict[str, float]:
    """Return `cpu_s`, `wall_s`, `peak_mb` (the largest process) and `num_crops` of one arm in a fresh process."""
    command = [sys.executable, __file__, "--data", str(data), "--arm", arm, "--workers", str(workers)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu_s, wall_s, peak_mb, num_crops = map(float, answer.split()[-4:])
    return {"cpu_s": cpu_s, "wall_s": wall_s, "peak_mb": peak_mb, "num_crops": num_crops}


def measure(arm: str, data: Path, workers: int) -> None:
    """Print CPU seconds, wall seconds, peak MB and number of crops of one arm, imports left out."""
    import resource

    import pandas  # noqa: F401 — every arm pays for the imports before the clock starts
    import reidops.datasets.planning  # noqa: F401
    import stages.convert  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        start, began = os.times(), time.perf_counter()
        num_crops = ARMS[arm](data, Path(folder), workers)
        _end_workers()
        wall_s, end = time.perf_counter() - began, os.times()
    cpu_s = sum(end[:4]) - sum(start[:4])
    peak_mb = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(cpu_s, wall_s, peak_mb, num_crops)


def _end_workers() -> None:
    """End the worker processes, so that their seconds are counted as ours."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--arm", choices=sorted(ARMS))
    arguments = parser.parse_args()
    if arguments.arm:
        measure(arguments.arm, arguments.data, arguments.workers[0])
        return
    for workers in arguments.workers:
        compare(arguments.data, workers, arguments.repeats)


def compare(data: Path, workers: int, repeats: int) -> None:
    """Print the best of `repeats` runs of every arm, taken in turn, and the ratios."""
    runs: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS if workers == 1 or arm != "mot2reid"}
    for _ in range(repeats):
        for arm, results in runs.items():
            results.append(run_arm(arm, data, workers))
    best = {arm: {name: min(result[name] for result in results) for name in results[0]} for arm, results in runs.items()}
    print(f"{workers} worker(s), best of {repeats}")
    for arm, result in best.items():
        print("  {:10s} {num_crops:6.0f} crops  {cpu_s:6.2f} CPU s  {wall_s:6.2f} s wall  peak {peak_mb:4.0f} MB".format(arm, **result))
    for arm, base in (("convert", "floor"), ("mot2reid", "convert"), ("pack", "copy")):
        if arm in best:
            ratios = [best[arm][name] / best[base][name] for name in ("cpu_s", "wall_s")]
            print("  {} / {}: {:.2f} × CPU, {:.2f} × wall".format(arm, base, *ratios))


if __name__ == "__main__":
    main()
