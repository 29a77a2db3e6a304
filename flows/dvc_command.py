"""Run a command of DVC that ends when the flow that started it ends: `python -m flows.dvc_command PID repro …`.

PID is the process of the flow.
"""

import sys
from pathlib import Path

from dvc.cli import main

from flows.damaged_files import ASIDE, put_damaged_aside
from reidops.parent_processes import end_with_parent

if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]), "the flow has ended, so DVC and its stage end")
    for damaged in put_damaged_aside(Path()):
        print(f"{damaged} was damaged by a kill during a write and is now in {ASIDE}", flush=True)
    sys.exit(main(sys.argv[2:]))
