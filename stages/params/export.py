"""The section `export` of params.yaml."""

from typing import Annotated

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import AboveZero, Count


@params_dataclass
class ExportParams:
    """How the ONNX model is compared with the torch model."""

    tolerance: AboveZero = Field(
        description="Largest difference of any value of a unit embedding between torch and ONNX. More is an error."
    )
    num_crops: Annotated[int, Field(ge=4)] = Field(
        description="Number of held-out crops to compare on. The same number of noise images is added."
    )
    seed: Count = Field(description="Seed of the noise images and of the choice of crops.")
