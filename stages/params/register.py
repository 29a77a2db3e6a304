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
    beat_histogram: bool = Field(
        description="A champion must also have a higher mAP than the colour histogram on each test set."
    )
    max_loss: Share | None = Field(
        description="Largest loss of mAP against the champion on each test set. null: no limit."
    )
    max_latency_ratio: Annotated[float, Field(gt=0)] | None = Field(
        description="Largest latency on one core, in multiples of the champion's, both measured in turns. null: no "
        "limit."
    )
    require_parity: bool = Field(
        description="The ONNX model of a champion must give the embeddings of torch, within export.tolerance."
    )
    require_valid_data: bool = Field(description="The data of a champion must have no validation error.")
    allow_withdrawn: tuple[str, ...] = Field(
        description="Names of data sets that a champion may use although their authors withdrew them: "
        "[DukeMTMC-reID]. It may use no other withdrawn set."
    )
    num_metrics: Annotated[int, Field(ge=1)] = Field(
        description="Largest number of metrics of a run. The file metrics.json of the run has all of them."
    )
