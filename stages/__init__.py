"""The pipeline's stages: one file = one DVC stage = one section of params.yaml.

`run_stage` is what every script's `__main__` calls. Before it runs one stage it checks the params of *all* of them,
which means importing every stage's file: so a stage imports what is heavy (torch, cv2, mlflow, great_expectations, …)
inside its function, and a whole `dvc repro` with nothing to do stays under a second a stage.
"""

import argparse
import importlib
import inspect
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# `python -m stages.…` is still importing: until `run_stage` listens, Ctrl-C ends it without a traceback
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from reidops.cores import share_cores
from reidops.errors import ReidopsError
from reidops.image_headers import bound_pixels
from reidops.memory import keep_freed_memory
from reidops.params import check_all, read_params
from reidops.progress_bar import named_work


def run_stage(stage: Callable[..., None], params_class: type) -> None:
    """Run a stage from the command line, one option per path that its function takes; exit 1 with one clear message on
    bad input.
    """
    section = stage.__name__
    arguments = _parser(stage).parse_args()
    configure_logging()
    keep_freed_memory()
    share_cores()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        classes = params_classes()
        check_all(classes, arguments.params)
        bound_pixels(read_params(classes["download"], "download", arguments.params).max_pixels)
        params = read_params(params_class, section, arguments.params)
        paths = {name: getattr(arguments, name) for name in _path_names(stage)}
        with named_work(section):
            stage(**paths, params=params)
    except ReidopsError as error:
        print(f"{section}: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(f"{section}: interrupted; `dvc repro` goes on from here", file=sys.stderr)
        # Die of the signal itself, so that whoever waits for us (DVC, a shell) sees an interrupt and stops too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


def params_classes() -> dict[str, type]:
    """Return every stage's params dataclass by its section's name."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name: _params_class(importlib.import_module(f"stages.{name}"), name) for name in names}


def configure_logging() -> None:
    """Send one line per message to the standard error stream, ours from INFO, others' from WARNING."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    for name in ("reidops", "stages", "flows", "__main__"):
        logging.getLogger(name).setLevel(logging.INFO)


def _params_class(module: Any, name: str) -> type:
    """Return the dataclass named as the stage: evaluate_reid → EvaluateReidParams."""
    return getattr(module, "".join(part.title() for part in name.split("_")) + "Params")


def _path_names(stage: Callable[..., None]) -> list[str]:
    return [name for name in inspect.signature(stage).parameters if name != "params"]


def _parser(stage: Callable[..., None]) -> argparse.ArgumentParser:
    description = (sys.modules[stage.__module__].__doc__ or "").strip()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in _path_names(stage):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True, metavar="PATH", dest=name)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")
    return parser
