"""The section `convert` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import Count, Positive, Share


@params_dataclass
class ConvertParams:
    """Which boxes of MOT sets become crops, and how people are divided into train, val, query and gallery.

    These params are the options of mot2reid and more. With `considered_only: false` and `val_by: name` the crops have
    the same bytes and names as mot2reid's, and so have the lists, except in these cases:

    - A box wholly outside its frame gives no crop (mot2reid: a strip of the frame's border).
    - The tar holds the crops of the lists (mot2reid: also those of dropped people).
    - Lists are sorted by name (mot2reid: in the order of the file system).
    - The share val_split is exact (mot2reid: int() of a float, which can lose a person or a percent in a list's name).
    - Labels of val continue after those of train (mot2reid: both begin at 0, so two people share a label in train.txt).
    """

    vis_threshold: Share = Field(
        description="Least visibility of an annotated box that is cut (MOT). Increase it to train on clearer crops."
    )
    test_vis_threshold: Share | None = Field(
        description="Least visibility of a box in the query and gallery sets (MOT). null: vis_threshold."
    )
    classes: list[int] = Field(description="MOTChallenge class numbers that are cut (MOT). 1 is pedestrian.")
    considered_only: bool = Field(
        description="Skip boxes whose flag column in gt.txt is 0 (MOT). false: cut them too, as mot2reid does."
    )
    min_width: Positive = Field(description="Least width of a box that is cut, px (MOT).")
    min_height: Positive = Field(description="Least height of a box that is cut, px (MOT).")
    stride: Positive = Field(
        description="Distance between frames that are cut, frames (MOT). 1: every frame. Increase it for high frame "
        "rates."
    )
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = Field(
        description="Quality of the JPEG files of the crops (MOT). mot2reid uses 95."
    )
    size: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = Field(
        description="Size of the crops as [height, width], px (MOT). null: the size of the box."
    )
    min_per_person: Positive = Field(
        description="Least number of crops of a training person (MOT). People with fewer do not train."
    )
    max_per_person: Positive = Field(
        description="Largest number of crops of a training person (MOT). More are sampled with `seed`."
    )
    val_split: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Share of the training people who are held out to choose the checkpoint and fit the gate."
    )
    val_by: Literal["identity", "name"] = Field(
        description="How held-out people are chosen. identity: a share of each scene. name: the last folders by name, "
        "as mot2reid does."
    )
    gap: Positive = Field(description="Least distance between a query and a gallery crop of a person, frames (MOT).")
    queries_per_person: Positive = Field(description="Largest number of queries per person and camera (MOT).")
    seed: Count = Field(description="Seed of the split and of the samples.")
    workers: Positive | None = Field(
        description="Number of processes. null: one per core. The result does not depend on it."
    )
