"""A MOTChallenge data set drawn from a seed, in MOT17's exact layout.

People with a constant appearance walk through drawn street scenes. They cover each other, pass behind furniture, leave
and come back.
"""

from pathlib import Path

from reidops.files import whole_folder
from reidops.mot.synthetic.params import SyntheticParams


def write_synthetic(folder: Path, params: SyntheticParams, workers: int | None = None) -> None:
    """Write the data set to `<folder>/train/SYN-01-DPM/…`; the folder appears whole or not at all.

    Args:
        folder: is replaced where it exists.
        params: what to draw.
        workers: processes; None = one per usable core.
    """
    # Drawing needs OpenCV, which takes a while to import. Every stage imports this package to check its params.
    from reidops.mot.synthetic.writing import write_scenes

    with whole_folder(Path(folder)) as partial:
        write_scenes(partial / "train", params, workers)
