"""The params of the synthetic data set. Light to import, because every stage checks them before it runs."""

from typing import Annotated

from pydantic import Field

from reidops.errors import ReidopsError
from reidops.params import params_dataclass

Positive = Annotated[int, Field(ge=1)]


@params_dataclass
class SyntheticParams:
    """How much is drawn. The same values give the same bytes on any number of workers.

    The defaults serve callers of `write_synthetic`; the pipeline takes all values from params.yaml.
    """

    seed: Annotated[int, Field(ge=0)] = Field(default=7, description="Seed of the drawing.")
    scenes: Positive = Field(default=6, description="Number of scenes. Each has three copies, one per detector.")
    frames: Positive = Field(default=150, description="Number of frames per scene.")
    width: Annotated[int, Field(ge=160)] = Field(default=640, description="Width of the frames, px.")
    height: Annotated[int, Field(ge=90)] = Field(default=360, description="Height of the frames, px.")
    min_people: Positive = Field(default=10, description="Least number of pedestrians per scene.")
    max_people: Positive = Field(
        default=16, description="Largest number of pedestrians per scene, not less than min_people."
    )
    frame_rate: Positive = Field(
        default=12,
        description="Frame rate, fps. In 150 frames at 12 fps a person crosses the view once and comes back.",
    )

    def __post_init__(self) -> None:
        """Refuse a range of people that is reversed."""
        if self.max_people < self.min_people:
            raise ReidopsError(
                f"synthetic: min_people is {self.min_people} and max_people {self.max_people}; max_people must not be "
                "less than min_people"
            )
