"""Run a command of DVC that ends when the flow that started it ends: `python -m flows.dvc_command PID repro …`.

PID is the process of the flow.
"""

import sys

from dvc.cli import main

from reidops.parent_processes import end_with_parent

if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]), "the flow has ended, so DVC and its stage end")
    sys.exit(main(sys.argv[2:]))
