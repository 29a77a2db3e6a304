"""How near `convert` comes to the least work there is, and how much memory it takes.

python benchmarks/convert.py --data ../shared/data [--repeats 3] [--markdown]

Every arm runs in a fresh process, in turn, in one run; seconds are CPU time (user + system, of the process and its
workers) and wall time from when everything is imported and prepared, the best of the repeats. What counts are the
ratios.

- floor: every frame of MOT17-09 decoded once and every crop encoded once, by the same decoder, encoder and number of
  processes.
- convert: the stage, from gt.txt to crops.tar, crops.parquet, lists and report, on the same frames and boxes.
- mot2reid: its order of work on the same: line by line, the frame decoded for every box, one file per crop.
- copy: Market-1501's files read and their bytes written into one file.
- pack: the same files packed, each with its size and place.
- short, long: the stage on drawn sequences of 1080p, of 100 and of 1,000 frames, to see what memory grows with.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # stages are not installed; they belong to the repository

DEFAULT = Path(__file__).resolve().parents[1] / "recipes" / "default.yaml"
SEQUENCE = "MOT17-09-FRCNN"
MARKET = "Market-1501-v15.09.15"
Work = Callable[[], int]  # returns the number of crops


def prepare_floor(data: Path, output: Path, workers: int) -> Work:
    from reidops.mot.crops import BoxRules, choose_boxes
    from reidops.mot.sequences import read_sequence
    from reidops.parallel import map_parallel

    sequence = read_sequence(data / "MOT17" / "train" / SEQUENCE)
    boxes, _ = choose_boxes(sequence, BoxRules())
    frames = [
        (str(sequence.frame_path(frame)), rows[["x1", "y1", "x2", "y2"]].to_numpy())
        for frame, rows in boxes.groupby("frame")
    ]
    runs = [frames[start : start + 32] for start in range(0, len(frames), 32)]
    return lambda: sum(map_parallel(_decode_and_encode, runs, workers))


def _decode_and_encode(frames: list[tuple[str, np.ndarray]]) -> int:
    num_crops = 0
    for path, boxes in frames:
        frame = cv2.imread(path)  # the last frame stays alive until this one is there
        for x1, y1, x2, y2 in boxes:
            cv2.imencode(".jpg", frame[y1 : y2 + 1, x1 : x2 + 1])
            num_crops += 1
    return num_crops


def prepare_convert(data: Path, output: Path, workers: int) -> Work:
    return _stage(data / "MOT17" / "train" / SEQUENCE, output, workers)


def prepare_short(data: Path, output: Path, workers: int) -> Work:
    return _stage(_draw_sequence(output / "drawn", num_frames=100), output, workers)


def prepare_long(data: Path, output: Path, workers: int) -> Work:
    return _stage(_draw_sequence(output / "drawn", num_frames=1000), output, workers)


def _stage(folder: Path, output: Path, workers: int) -> Work:
    from reidops.datasets.inventory import write_inventory
    from reidops.memory import keep_freed_memory
    from reidops.mot.sequences import read_sequence
    from reidops.params import read_params
    from reidops.parts import Part, write_parts
    from reidops.tables import CROPS, read_table
    from stages.convert import ConvertParams, convert

    default = read_params(ConvertParams, "convert", DEFAULT)
    sequence = read_sequence(folder)
    parts = [Part("train", "MOT17", "mot", sequence.folder, sequence.name, sequence.scene, 1, sequence.length)]
    write_parts(parts, output)
    write_inventory(parts, output, {"MOT17": f"local:{folder.parent.parent}"})

    def work() -> int:
        keep_freed_memory()  # as every stage's script does
        convert(output, output / "crops", replace(default, min_per_person=1, workers=workers))
        return len(read_table(output / "crops" / "crops.parquet", CROPS))

    return work


def _draw_sequence(folder: Path, num_frames: int) -> Path:
    """Write a sequence whose frames are all the same file, with four people in each."""
    width, height = 1920, 1080
    for name in ("img1", "gt"):
        (folder / name).mkdir(parents=True)
    info = f"frameRate=30\nseqLength={num_frames}\nimWidth={width}\nimHeight={height}\n"
    (folder / "seqinfo.ini").write_text(f"[Sequence]\nname={folder.name}\nimDir=img1\nimExt=.jpg\n{info}")
    rows = [
        f"{frame},{person},{200 * person},{30 * person},60,150,1,1,1\n"
        for person in range(1, 5)
        for frame in range(1, num_frames + 1)
    ]
    (folder / "gt" / "gt.txt").write_text("".join(rows))
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "img1" / "000001.jpg"), cv2.resize(noise, (width, height)))
    for frame in range(2, num_frames + 1):
        os.link(folder / "img1" / "000001.jpg", folder / "img1" / f"{frame:06d}.jpg")
    return folder


def prepare_mot2reid(data: Path, output: Path, workers: int) -> Work:
    return lambda: _mot2reid(data / "MOT17" / "train" / SEQUENCE, output)


def _mot2reid(folder: Path, output: Path) -> int:
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


def prepare_pack(data: Path, output: Path, workers: int) -> Work:
    from reidops.datasets.packing import CropSource, pack_crops

    sources = [CropSource(path.name, str(path)) for path in _market_files(data)]
    return lambda: len(pack_crops(sources, output / "crops.tar", workers=workers))


def prepare_copy(data: Path, output: Path, workers: int) -> Work:
    files = [str(path) for path in _market_files(data)]

    def work() -> int:
        with open(output / "copied", "wb") as stream:
            for file in files:
                with open(file, "rb") as source:
                    stream.write(source.read())
        return len(files)

    return work


def _market_files(data: Path) -> list[Path]:
    return [
        path
        for name in ("bounding_box_train", "query", "bounding_box_test")
        for path in sorted((data / MARKET / name).glob("*.jpg"))
    ]


@dataclass(frozen=True)
class Row:
    """One line of the table: an arm, its number of processes, and the arm that it is measured by."""

    arm: str
    workers: int
    base: str = ""


ROWS = (
    Row("floor", 1),
    Row("convert", 1, "floor"),
    Row("mot2reid", 1, "convert"),
    Row("floor", 2),
    Row("convert", 2, "floor"),
    Row("copy", 1),
    Row("pack", 1, "copy"),
    Row("short", 2),
    Row("long", 2),
)
ARMS = {row.arm: globals()[f"prepare_{row.arm}"] for row in ROWS}
ONCE = ("mot2reid", "short", "long")  # slow, or measured for their memory


@dataclass(frozen=True)
class Measured:
    """Seconds, and MB of this process and of the largest worker (0 where it had none), at their highest."""

    cpu_s: float
    wall_s: float
    own_mb: float
    worker_mb: float
    num_crops: int


def run_arm(row: Row, data: Path) -> Measured:
    """Run one arm in a fresh process."""
    command = [sys.executable, __file__, "--data", str(data), "--arm", row.arm, "--workers", str(row.workers)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    *figures, num_crops = answer.split()[-5:]
    return Measured(*map(float, figures), int(num_crops))


def measure(arm: str, data: Path, workers: int) -> None:
    """Print the figures of one arm, imports and preparations left out."""
    import pandas  # noqa: F401 — every arm pays for the imports before the clock starts

    import reidops.datasets.planning  # noqa: F401
    import stages.convert  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        work = ARMS[arm](data, Path(folder), workers)
        start, began = os.times(), time.perf_counter()
        num_crops = work()
        wall_s = time.perf_counter() - began
        worker_mb = _end_workers()
        cpu_s = sum(os.times()[:4]) - sum(start[:4])
    print(cpu_s, wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, worker_mb, num_crops)


def _end_workers() -> float:
    """End the worker processes, so that their seconds are counted as ours, and return the most MB that one of them
    had.
    """
    import psutil
    from joblib.externals.loky import get_reusable_executor

    # Not ru_maxrss of the children: it counts the moment after the fork, when they still are as large as we are.
    peaks_kb = [
        re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{child.pid}/status").read_text())
        for child in psutil.Process().children()
    ]
    get_reusable_executor().shutdown(wait=True)
    return max((int(peak[1]) / 1024 for peak in peaks_kb if peak), default=0.0)


def best_of(runs: list[Measured]) -> Measured:
    """Return the least seconds and the most memory of several runs."""
    least_cpu, least_wall = min(run.cpu_s for run in runs), min(run.wall_s for run in runs)
    return Measured(
        least_cpu, least_wall, max(run.own_mb for run in runs), max(run.worker_mb for run in runs), runs[0].num_crops
    )


def compare(data: Path, repeats: int) -> dict[Row, Measured]:
    """Return every row's figures; the arms take turns, so that a busy minute of the machine meets all of them."""
    runs: dict[Row, list[Measured]] = {row: [] for row in ROWS}
    for repeat in range(repeats):
        for row in ROWS:
            if repeat == 0 or row.arm not in ONCE:
                runs[row].append(run_arm(row, data))
    return {row: best_of(measured) for row, measured in runs.items()}


def print_table(figures: dict[Row, Measured], separator: str) -> None:
    """Print one line per row; ratios are CPU and wall time over those of the row's base with as many processes."""
    titles = ["arm", "processes", "crops", "CPU s", "wall s", "ratio CPU", "ratio wall", "peak MB", "of a worker"]
    lines = [titles] + ([["---"] * len(titles)] if separator == "|" else [])
    for row, found in figures.items():
        base = figures.get(Row(row.base, row.workers), figures.get(Row(row.base, row.workers, "floor")))
        ratios = [f"{found.cpu_s / base.cpu_s:.2f}", f"{found.wall_s / base.wall_s:.2f}"] if base else ["", ""]
        memory = [f"{found.own_mb:.0f}", f"{found.worker_mb:.0f}" if found.worker_mb else ""]
        lines.append(
            [
                row.arm,
                str(row.workers),
                f"{found.num_crops:,}",
                f"{found.cpu_s:.2f}",
                f"{found.wall_s:.2f}",
                *ratios,
                *memory,
            ]
        )
    for line in lines:
        print(f"| {' | '.join(line)} |" if separator == "|" else "".join(f"{cell:>12s}" for cell in line))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", action="store_true", help="print the table for a README")
    parser.add_argument("--arm", choices=sorted(ARMS), help="run one arm in this process and print its bare figures")
    parser.add_argument("--workers", type=int, default=1, help="of --arm")
    arguments = parser.parse_args()
    if arguments.arm:
        measure(arguments.arm, arguments.data, arguments.workers)
    else:
        print_table(compare(arguments.data, arguments.repeats), "|" if arguments.markdown else " ")


if __name__ == "__main__":
    main()
