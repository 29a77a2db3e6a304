"""Track the sequences of a MOTChallenge test set, which has no ground truth, and write the zip that its server takes.

    reidops submission data/MOT17 --model models:/person-reid@champion --tracker botsort --output MOT17.zip

SET holds test/<sequence>/{img1,det,seqinfo.ini}. Each sequence is tracked as `reidops track` does, with the options of
that command; --detections may also be a folder with <sequence>.txt. The zip has one file <sequence>.txt per sequence in
its root.
"""

import argparse
import logging
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from reidops.cores import share_cores
from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.memory import keep_freed_memory
from reidops.mot.sequences import read_sequence
from reidops.track import INTERRUPTED, parse_arguments, track

log = logging.getLogger(__name__)

_PROGRAM = "reidops submission"


def main(arguments: list[str]) -> None:
    """Run the command line: exit 1 with a message on bad input, and 130 on Ctrl-C; then no zip is written."""
    options, of_track = _parser().parse_known_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("reidops").setLevel(logging.INFO)
    keep_freed_memory()
    share_cores()
    try:
        write_submission(options.set / options.split, options.output, of_track)
    except ReidopsError as error:
        print(f"submission: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def write_submission(split: Path, output: Path, of_track: Sequence[str]) -> list[str]:
    """Track the sequences of a folder, write the zip, and return their names.

    Args:
        split: the folder of the sequences, such as MOT17/test.
        of_track: options of `reidops track`.

    Raises:
        ReidopsError: there is no sequence, one cannot be tracked, or an option names a file of one video.
        KeyboardInterrupt: Ctrl-C ended a sequence.
    """
    _check_options(of_track)
    folders = _find_sequences(split)
    with tempfile.TemporaryDirectory() as scratch:
        files = [_track(folder, Path(scratch) / f"{folder.name}.txt", of_track) for folder in folders]
        with whole_file(output) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
    log.info("%s: wrote the tracks of %d sequences to %s", split, len(folders), output)
    return [folder.name for folder in folders]


def _check_options(of_track: Sequence[str]) -> None:
    """Check the options of `reidops track` before the first sequence.

    Raises:
        ReidopsError: an option names a file of one video.
    """
    options = parse_arguments(["", *of_track, "--no-video"], _PROGRAM)
    for name in ("results", "times"):
        if getattr(options, name) is not None:
            raise ReidopsError(
                f"--{name} names the file of one video, and a submission has several; leave it out, or use `reidops "
                f"track` for one sequence"
            )


def _find_sequences(split: Path) -> list[Path]:
    folders = sorted(path.parent for path in split.glob("*/seqinfo.ini"))
    if not folders:
        raise ReidopsError(
            f"{split}: holds no sequence; expected MOTChallenge's layout, {split}/<sequence>/{{img1,det,seqinfo.ini}}"
        )
    return folders


def _track(folder: Path, results: Path, of_track: Sequence[str]) -> Path:
    """Track one sequence and return its result file."""
    frames = read_sequence(folder).frames_dir
    options = parse_arguments([str(frames), *of_track, "--no-video", "--results", str(results)], _PROGRAM)
    if Path(options.detections).is_dir():
        options.detections = str(Path(options.detections) / f"{folder.name}.txt")
    if track(options).interrupted:
        raise KeyboardInterrupt
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Further options are those of `reidops track`: --model, --detections, --tracker, --gate, ….",
        allow_abbrev=False,
    )
    parser.add_argument("set", type=Path, metavar="SET", help="folder of the data set, above test")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.zip", help="zip to write")
    parser.add_argument("--split", default="test", help="folder of the sequences in SET (default: test)")
    return parser
