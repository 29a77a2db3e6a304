"""Addresses of the data sets of MOTChallenge, and of others in its layout."""

from reidops.datasets.fetching import Archive

_BASE = "https://motchallenge.net/data"
_MIRROR = "https://storage.googleapis.com/com-roboflow-marketing/trackers/datasets/mot17-v2"


def _published(name: str) -> tuple[Archive, ...]:
    return (Archive(f"{name}.zip", (f"{_BASE}/{name}.zip",)),)


# Per set the alternative groups of archives in order (none: HOW_TO_ASK); a group is unpacked into one folder.
PUBLISHED: dict[str, tuple[tuple[Archive, ...], ...]] = {
    "MOT15": (_published("MOT15"),),
    "MOT16": (_published("MOT16"),),
    "MOT17": (
        _published("MOT17"),
        (
            Archive(
                "mot17-train-frames.zip", (f"{_MIRROR}/mot17-train-frames.zip",), "md5:65987312a51e9934c03679bba421b897"
            ),
            Archive(
                "mot17-train-annotations.zip",
                (f"{_MIRROR}/mot17-train-annotations.zip",),
                "md5:1db34490e8a66fa09516aebbdcee48f4",
            ),
            Archive(
                "mot17-train-public-detections.zip",
                (f"{_MIRROR}/mot17-train-public-detections.zip",),
                "md5:c3ebc4df29d23602f17729ef9b0eb933",
            ),
        ),
    ),
    "MOT20": (_published("MOT20"),),
    "DanceTrack": (),
}
HOW_TO_ASK = {
    "DanceTrack": "DanceTrack is on a drive, see https://github.com/DanceTrack/DanceTrack: unpack train1.zip and "
    "train2.zip (train/dancetrack0001, …)",
}
