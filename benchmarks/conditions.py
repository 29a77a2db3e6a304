"""Try the pipeline under bad conditions, and print a Markdown table of what came out.

    python benchmarks/conditions.py --folder /tmp/conditions

The conditions are a full disk and a read-only data folder in each stage, damaged objects of DVC's cache, an MLflow
server that stops during `register` and a store of an older schema, a clock that jumps, several users at once, and a
host that is lost. All but the last run in copies of one finished clone of the last commit with a small drawn data set.
Root is required, as disks are mounted; the clock needs libfaketime. Exits 1 if a row is not as documented.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from caches import try_damaged_caches
from clocks import try_clocks
from clones import Clone, Row, finished_clone
from disks import try_full_disks, try_read_only_data
from faults import DVC
from hosts import try_hosts
from stores import try_stores
from three_retrainings import run
from users import try_users_at_once


def main() -> None:
    """Try the conditions; exit 1 if one is not met as documented."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="a folder for the clone, which is used again")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="NAME", help="full, read-only, cache, store, clock, users, host"
    )
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    base = finished_clone(folder / "finished")
    rows = []
    for name, trial in list_trials(base, folder).items():
        if not options.only or name in options.only:
            for row in trial():
                rows.append(row)
                print(_line(row), file=sys.stderr, flush=True)
    print("| condition | what came out | as documented |\n|---|---|---|")
    print("\n".join(map(_line, rows)))
    if not all(row.holds for row in rows):
        sys.exit("conditions: not every row is as documented")


def list_trials(base: Clone, folder: Path) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return the trials by their names; without root those that mount a disk are left out."""
    stages = run([*DVC, "stage", "list", "--name-only"], base.folder).split()
    copy = folder / "copy"
    mounting = {
        "full": partial(try_full_disks, base, copy, stages),
        "read-only": partial(try_read_only_data, base, copy, stages),
    }
    if os.geteuid() != 0:
        print("conditions: full and read-only disks are left out, because only root may mount", file=sys.stderr)
        mounting = {}
    others = {
        "cache": partial(try_damaged_caches, base, copy),
        "store": partial(try_stores, base, copy),
        "clock": partial(try_clocks, base, copy),
        "users": partial(try_users_at_once, base, copy),
        "host": partial(try_hosts, folder / "host"),
    }
    return mounting | others


def _line(row: Row) -> str:
    return f"| {row.condition} | {row.found} | {'yes' if row.holds else '**no**'} |"


if __name__ == "__main__":
    main()
