"""Run a command of DVC that ends when the flow that started it ends: `python -m flows.dvc_command PID repro …`.

PID is the process of the flow.
"""

import sys
from pathlib import Path

from dvc.cli import main

from flows.dvc_rwlock import RWLOCK, remove_damaged_rwlock
from reidops.parent_processes import end_with_parent

if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]), "the flow has ended, so DVC and its stage end")
    if remove_damaged_rwlock(Path()):
        print(f"removed {RWLOCK}, which a killed DVC process left damaged", flush=True)
    sys.exit(main(sys.argv[2:]))
