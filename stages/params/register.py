"""The section `register` of params.yaml."""

from typing import Annotated

from pydantic import Field

from reidops.params import params_dataclass
from reidops.registry.comparison import Evidence, Score
from stages.params.types import Share


@params_dataclass
class RegisterParams:
    """Where the result is logged, and when a version becomes champion."""

    model_name: Annotated[str, Field(pattern=r"^[\w.\- ]+$")] = Field(description="Name of the registered model.")
    experiment: Annotated[str, Field(min_length=1)] = Field(description="MLflow experiment that holds the runs.")
    score: Score = Field(description="Metric that decides, combined over the tracked sequences.")
    evidence: Evidence = Field(
        description="Value that must exceed a bound. interval: the lower end of the 95 % interval of the difference. "
        "point: the difference, which lets more models pass by chance."
    )
    min_margin: Share = Field(description="Bound of the difference between challenger and champion.")
    require_gain: bool = Field(description="A champion must also be better than the tracker without appearance.")
    beat_random: bool = Field(description="A champion must also be better than the tracker with random vectors.")
