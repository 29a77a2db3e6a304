"""The section `validate` of params.yaml."""

from typing import Annotated

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import Count, Share

Sample = Annotated[int, Field(ge=-1)]


@params_dataclass
class ValidateParams:
    """How much data is inspected, and the limits above or below which the inspection warns or fails."""

    image_sample: Sample = Field(description="Number of frames that are decoded per sequence. 0: none, -1: all.")
    frame_sample: Count = Field(
        description="Number of training frames per sequence that are compared with the tested and tracked frames by a "
        "perceptual hash. 0: none. Frames in equal files are always found."
    )
    crop_sample: Sample = Field(description="Number of crops that are decoded and hashed. 0: none, -1: all.")
    max_outside_share: Share = Field(
        description="Largest share of boxes that are wholly outside their frame. More is an error."
    )
    min_people: Annotated[int, Field(ge=2)] = Field(
        description="Least number of people in the training set. Fewer is an error."
    )
    min_crops_per_person: Annotated[int, Field(ge=2)] = Field(
        description="Least number of crops of a training person. Fewer is a warning."
    )
    near_duplicate_bits: Annotated[int, Field(ge=0, le=16)] = Field(
        description="Largest number of different bits, of 64, between the hashes of near-duplicates. 0: equal hashes "
        "only."
    )
    max_near_duplicate_share: Share = Field(
        description="Largest share of near-duplicates among the hashed crops. More is a warning."
    )
    contact_sheet_people: Annotated[int, Field(ge=1, le=200)] = Field(
        description="Number of people on the contact sheet."
    )
