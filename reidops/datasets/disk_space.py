"""A disk that is full, told in a sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reidops.errors import ReidopsError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Let `path` be written within; say so where its disk, or the user's share of it, is full.

    Raises:
        ReidopsError: there was no space left; what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ReidopsError(
            f"{path}: no space is left on its disk ({error.strerror or error}); what was there before is untouched:"
            " free some space (`dvc gc --workspace` drops what no version of the pipeline needs) and run again"
        ) from None
