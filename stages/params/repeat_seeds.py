"""The section `repeat_seeds` of params.yaml."""

from typing import Annotated

from pydantic import Field

from reidops.params import params_dataclass


@params_dataclass
class RepeatSeedsParams:
    """How many trainings measure the seed noise."""

    num: Annotated[int, Field(ge=1, le=100)] = Field(
        description="Number of trainings, with the seeds train.seed, train.seed + 1, …, each with its adaptation. 1: "
        "no repetition. From 3 on the seed noise widens the intervals of the promotion."
    )
