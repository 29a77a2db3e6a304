"""Check for what torch.compile needs."""

import os
import shutil

from reidops.errors import ReidopsError


def check_compiler() -> None:
    """Check that there is a C++ compiler for torch.compile.

    Raises:
        ReidopsError: there is none.
    """
    if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))):
        raise ReidopsError(
            "train.compile is true, but there is no C++ compiler (g++, clang++ or $CXX); install one or set it to false"
        )
