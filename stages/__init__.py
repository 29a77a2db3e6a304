"""The pipeline's stages: one file = one DVC stage = one section of params.yaml.

`run_stage` is what the `__main__` of every script calls. It checks the params of all stages before it runs one.
"""

import argparse
import gc
import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

# `python -m stages.…` is still importing. Until `run_stage` listens, Ctrl-C ends it without a traceback.
# What it imports stays, so garbage collection is off until `run_stage`.
if sys.argv[0] == "-m":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()

from reidops.cores import share_cores
from reidops.errors import ReidopsError
from reidops.image_headers import bound_pixels
from reidops.memory import free_nothing_at_exit, keep_freed_memory, restart_without_gaps
from reidops.params import check_all
from reidops.parent_processes import end_with_dvc
from reidops.progress_bar import named_work
from stages.params import SECTIONS


def run_stage(stage: Callable[..., None]) -> None:
    """Run a stage from the command line; exit 1 with one clear message on bad input.

    Each path that the function takes is an option. An argument with the class of a section gets that section.
    """
    gc.freeze()
    gc.enable()
    name = stage.__name__
    arguments = _parser(stage).parse_args()
    end_with_dvc()
    configure_logging()
    keep_freed_memory()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sections = check_all(SECTIONS, arguments.params)
        bound_pixels(sections["download"].max_pixels)
        paths = {path: getattr(arguments, path) for path in _path_names(stage)}
        with named_work(name):
            stage(**paths, **_params_of(stage, sections))
    except ReidopsError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; `dvc repro` continues from here", file=sys.stderr)
        # End by the signal itself, so that the process that waits for this one (DVC, a shell) stops too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


def configure_logging() -> None:
    """Send one line per message to the standard error stream: of this repository from INFO, of others from WARNING."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    for name in ("reidops", "stages", "flows", "__main__"):
        logging.getLogger(name).setLevel(logging.INFO)


def _params_of(stage: Callable[..., None], sections: dict[str, object]) -> dict[str, object]:
    """Return the sections that a stage takes, by the name of its argument."""
    by_class = {type(section): section for section in sections.values()}
    wanted = {name: parameter.annotation for name, parameter in inspect.signature(stage).parameters.items()}
    return {name: by_class[annotation] for name, annotation in wanted.items() if annotation in by_class}


def _path_names(stage: Callable[..., None]) -> list[str]:
    return [name for name, parameter in inspect.signature(stage).parameters.items() if parameter.annotation is Path]


def _parser(stage: Callable[..., None]) -> argparse.ArgumentParser:
    description = (sys.modules[stage.__module__].__doc__ or "").strip()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in _path_names(stage):
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True, metavar="PATH", dest=name)
    _add_params_option(parser)
    return parser


def _add_params_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), metavar="FILE")


def _prepare() -> None:
    """Set up OpenMP and check the params before the file of the stage imports torch and other heavy packages."""
    free_nothing_at_exit()
    end_with_dvc()
    share_cores()
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    _add_params_option(parser)
    if {"-h", "--help"}.intersection(sys.argv):
        return
    name = sys.orig_argv[sys.orig_argv.index("-m") + 1].removeprefix("stages.")
    try:
        sections = check_all(SECTIONS, parser.parse_known_args()[0].params)
        if getattr(sections.get(name), "checkpoint_activations", False):
            restart_without_gaps()
    except ReidopsError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except argparse.ArgumentError:
        return  # `run_stage` reports it with the usage of the stage


if sys.argv[0] == "-m":  # `python -m stages.…`
    _prepare()
