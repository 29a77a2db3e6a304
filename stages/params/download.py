"""The section `download` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.mot.synthetic.params import SyntheticParams
from reidops.params import params_dataclass
from stages.params.types import Count, Positive

Addresses = Annotated[list[str], Field(min_length=1)]
Hash = Annotated[str, Field(pattern="^(md5|sha256):[0-9a-fA-F]+$")]


@params_dataclass
class DownloadParams:
    """Which data sets are used, and which part of each trains, is tested and is tracked."""

    local: str | None = Field(
        description="Folder that holds data sets in their published layout, relative to the repository. null: only "
        "sets that can be drawn or fetched are used."
    )
    train: list[str] = Field(
        description="Data sets whose people train: synthetic, MOT15 … MOT20, Market-1501 or another ReID set "
        "(CUHK03:labeled names a protocol), or the name of a folder below `local`. []: no training.",
    )
    test: list[str] = Field(description="Data sets whose people are ranked in the ReID evaluation. []: no ranking.")
    track: list[str] = Field(description="MOT data sets that are tracked. []: no tracking.")
    adapt: list[str] = Field(
        description="Data sets whose frames or crops are used without labels by adapt. As in `train`, tested and "
        "tracked frames and people are left out. []: none."
    )
    videos: str | None = Field(
        description="Folder of videos, or of folders of frames, that are used without labels by adapt; relative to the "
        "repository. After a new video run `dvc repro -f download`, or `python -m flows.adapt`. null: none."
    )
    adapt_on_test_frames: bool = Field(
        description="Use the tested and tracked frames of the sets in `adapt` too, without labels (transductive). "
        "Scores on these frames are then not comparable, and no such model becomes champion."
    )
    sequences: list[str] = Field(
        description="Scenes or sequences that are tested and tracked. []: all of the tracked sets."
    )
    detectors: list[Literal["DPM", "FRCNN", "SDP"]] = Field(
        min_length=1,
        description="Copies of the sequences to track, in sets that are published once per detector (MOT17). Crops are "
        "cut from the first.",
    )
    split: Literal["scene", "half", "k-fold", "identity", "images"] = Field(
        description="How a set that trains and is tested is divided. scene: tracked scenes do not train. half: the "
        "first half of their frames trains. k-fold: `fold` chooses the scenes. identity: by person. A set with one "
        "folder per person in its root is divided by person, or with images by the crops of each person (closed set)."
    )
    num_folds: Annotated[int, Field(ge=2)] = Field(
        description="Number of parts into which split: k-fold divides the scenes."
    )
    fold: Count = Field(description="Part that split: k-fold tests and tracks, less than num_folds.")
    test_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of the people of each scene, or of a set with one folder per person in its root, that is "
        "tested with split: identity; with split: images the share of each person's crops."
    )
    formats: dict[str, str] = Field(
        description="Data set → format of its annotations: mot, mot15, visdrone, uavdt, or the names of the columns, "
        "'frame,id,left,top,right,bottom,class'. {}: the format is recognised from the files."
    )
    people: dict[str, list[int | str]] = Field(
        description="Data set → classes, by number or name, that are people, {mine: [0]}. {}: class 1 of MOTChallenge, "
        "or the names of people."
    )
    urls: dict[str, Addresses] = Field(
        description="Addresses to fetch a data set from, before the published ones: {Market-1501: [https://…]}."
    )
    hashes: dict[str, Hash] = Field(
        description="Hash of the archive of a data set, md5:… or sha256:…. An archive with another hash is refused."
    )
    leave_out: dict[str, str] = Field(
        description="Training set → file that names people of it who do not train and validate, because they are "
        "tracked or tested elsewhere: {Market-1501: tracked_people.csv}. One person per row, or a CSV with a column "
        "market_pid, pid or person. A path is relative to the repository. After an edit of the file run `dvc repro -f "
        "download`."
    )
    max_pixels: Positive = Field(
        description="Largest picture that any stage decodes, px (width × height). Larger pictures are refused by their "
        "header. Increase it for frames above 100 megapixels."
    )
    synthetic: SyntheticParams = Field(description="The data set `synthetic`, which is drawn and not fetched.")
