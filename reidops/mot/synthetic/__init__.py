"""A MOTChallenge data set drawn from a seed, in MOT17's exact layout.

People with lasting looks walk through drawn street scenes, cover each other, vanish behind furniture, leave and come
back.
"""

from pathlib import Path

from reidops.errors import ReidopsError
from reidops.files import whole_folder
from reidops.params import params_dataclass


@params_dataclass
class SyntheticParams:
    """How much is drawn; the same values give the same bytes, on any number of workers."""

    seed: int = 7
    scenes: int = 6  # each in three copies, one per detector
    frames: int = 150  # per scene
    width: int = 640  # px
    height: int = 360  # px
    min_people: int = 10  # per scene
    max_people: int = 16
    frame_rate: int = 12  # fps: 150 frames are 12.5 s, in which a person crosses the view once and comes back

    def __post_init__(self) -> None:
        """Refuse a set that cannot be drawn."""
        if min(self.scenes, self.frames, self.frame_rate, self.min_people) < 1 or self.max_people < self.min_people:
            raise ReidopsError(
                "synthetic: scenes, frames, frame_rate and min_people must be at least 1, and max_people at least "
                "min_people"
            )
        if self.width < 160 or self.height < 90:
            raise ReidopsError(
                f"synthetic: frames of {self.width} × {self.height} px are too small to draw people in; at least 160 × "
                f"90"
            )


def write_synthetic(folder: Path, params: SyntheticParams, workers: int | None = None) -> None:
    """Write the data set to `<folder>/train/SYN-01-DPM/…`; the folder appears whole or not at all.

    Args:
        folder: is replaced where it exists.
        params: what to draw.
        workers: processes; None = one per usable core.
    """
    # Drawing needs OpenCV; who only wants the params (every stage's check of params.yaml) shall not wait for it.
    from reidops.mot.synthetic.writing import write_scenes

    with whole_folder(Path(folder)) as partial:
        write_scenes(partial / "train", params, workers)
