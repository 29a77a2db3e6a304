"""What tracking costs: `python benchmarks/tracking.py` prints the table of the README, measured in one run.

python benchmarks/tracking.py [--only updates scores embedding constants] [--data ../shared/data] [--quick]

- updates: each tracker without embeddings on walks drawn from a seed, and the `trackers` package's on the same
  detections, in this package's defaults and theirs; frames per second of CPU, one thread.
- scores: preprocessing, official scores and events of sequences of MOT17's sizes against TrackEval and motmetrics;
  seconds of CPU, one thread.
- embedding: detections of a sequence from its JPEG files against the network alone; by the clock, all threads.
- constants: a changed tracker constant on seven half sequences from cached embeddings; by the clock, all cores.

Everything is drawn; with --data, scores and embedding are measured on real sequences. --quick runs it all on little,
which shows that it runs and says nothing about speed. Ratios hold within a run; on a machine that others use, the
seconds do not.
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
    """Measure one section in this process; what it needs is imported here, for libraries count threads when they are
    loaded.
    """
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
    """Measure one section in a process of its own, so that none warms another's caches or takes its threads."""
    options = [*(["--data", str(arguments.data)] if arguments.data else []), *(["--quick"] if arguments.quick else [])]
    environment = os.environ | (ONE_CORE if section in ("updates", "scores") else {})
    command = [sys.executable, __file__, "--section", section, *options]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [Measured(**row) for row in json.loads(ran.stdout.splitlines()[-1])]


def main() -> None:
    """Print the table, or, as the process of a section, its lines as JSON."""
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
