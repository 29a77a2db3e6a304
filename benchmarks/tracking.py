"""Measure the cost of tracking: `python benchmarks/tracking.py` prints the table of docs/measured.md.

python benchmarks/tracking.py [--only updates scores embedding constants] [--data ../shared/data] [--quick]

- updates: each tracker without embeddings on random walks, and the trackers of the package `trackers` on the same
  detections, each with its defaults; frames per CPU second, one thread.
- scores: preprocessing, official scores and events of sequences of MOT17's sizes, compared with TrackEval and
  motmetrics; CPU seconds, one thread.
- embedding: detections of a sequence from its JPEG files, compared with the network alone; wall time, all threads.
- constants: a changed tracker constant on seven half sequences from cached embeddings; wall time, all cores.

All data are synthetic; with --data, scores and embedding are measured on real sequences. --quick uses little data to
check that the script runs. On a shared machine only the ratios within a run are reliable.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from measured import Measured, format_measured

SECTIONS = ("updates", "scores", "embedding", "constants")
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measure(section: str, data: Path | None, quick: bool) -> list[Measured]:
    """Measure one section in this process; libraries are imported here, because they count threads at import."""
    num_passes = 1 if quick else 3
    if section == "updates":
        import tracking_updates

        return tracking_updates.measure(40 if quick else 1000, num_passes)
    if section == "scores":
        import tracking_scores

        cases = tracking_scores.draw_cases(0.05 if quick else 1.0) if data is None else tracking_scores.read_cases(data)
        return tracking_scores.measure(cases, num_passes)
    if section == "embedding":
        import tracking_embedding

        from reidops.memory import keep_freed_memory

        keep_freed_memory()  # as every stage does, for the forward and for us
        return tracking_embedding.measure(data, 30 if quick else 600, 1 if quick else 9)
    import tracking_constants
    from drawn_tracks import MOT17

    if quick:
        return tracking_constants.measure(("bytetrack",), ("05", "09"), 0.05)
    return tracking_constants.measure(("bytetrack", "deepsort", "botsort"), tuple(MOT17), 1.0)


def run_section(section: str, arguments: argparse.Namespace) -> list[Measured]:
    """Measure one section in its own process, so that sections do not share caches or threads."""
    options = [*(["--data", str(arguments.data)] if arguments.data else []), *(["--quick"] if arguments.quick else [])]
    environment = os.environ | (ONE_CORE if section in ("updates", "scores") else {})
    command = [sys.executable, __file__, "--section", section, *options]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [Measured(**row) for row in json.loads(ran.stdout.splitlines()[-1])]


def main() -> None:
    """Print the table, or in the process of a section its rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--section", choices=SECTIONS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.section:
        print(json.dumps([asdict(row) for row in measure(arguments.section, arguments.data, arguments.quick)]))
        return
    print(format_measured([row for section in arguments.only for row in run_section(section, arguments)]))


if __name__ == "__main__":
    main()
