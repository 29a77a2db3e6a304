"""reidops/track.py: the command line that tracks a video."""

import weakref

import cv2
import numpy as np
import pytest
from drawn_video import HEIGHT, WIDTH, write_drawn_detections, write_drawn_video
from fake_embedder import FakeEmbedder
from made_detectors import write_detector
from mot_factory import person_box, write_mot_sequence

from reidops import live
from reidops.files import read_json
from reidops.frame_detections import DetectionFile
from reidops.mot.sequences import read_results
from reidops.track import Outputs, VideoTracker, main, write_tracks
from reidops.tracking.trackers import TRACKERS


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return a folder with a video and its detections, and be there."""
    write_drawn_video(tmp_path / "street.avi")
    write_drawn_detections(tmp_path / "street.txt")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def track(*options, video="street.avi", detections="street.txt", model="none", output="out.mp4", tracker="deepsort"):
    """Run the command line and return its exit status."""
    command = [
        video,
        "--detections",
        detections,
        "--model",
        model,
        "--tracker",
        tracker,
        *(["--output", output] if output else []),
        *options,
    ]
    with pytest.raises(SystemExit) as ended:
        main(command)
    return ended.value.code


def num_frames(path) -> int:
    capture = cv2.VideoCapture(str(path))
    return sum(1 for _ in iter(lambda: capture.read()[0], False))


def left_over(folder):
    return {path.name for path in folder.iterdir()} - {"street.avi", "street.txt"}


@pytest.mark.parametrize("tracker", sorted(TRACKERS))
def test_the_video_and_a_result_file_are_written_with_any_tracker(here, tracker):
    assert track(tracker=tracker) == 0
    assert left_over(here) == {"out.mp4", "out.txt"}
    assert num_frames(here / "out.mp4") == 12
    tracks = read_results(here / "out.txt")
    assert tracks["track_id"].nunique() == 3
    assert tracks["frame"].max() == 12 and (tracks.groupby("frame").size() == 3).sum() >= 8


def test_the_tracks_are_the_people_who_walk(here):
    assert track("--constants", "boxes=detections") == 0
    tracks = read_results(here / "out.txt")
    last = tracks[tracks["frame"] == 12].sort_values("left")
    expected = sorted(person_box(person, 12, WIDTH, HEIGHT) for person in (1, 2, 3))
    np.testing.assert_allclose(last[["left", "top", "width", "height"]] + [1, 1, 0, 0], expected, atol=0.011)


def test_the_boxes_are_drawn_into_the_video(here):
    track()
    plain, drawn = (cv2.VideoCapture(str(here / name)) for name in ("street.avi", "out.mp4"))
    pairs = [(plain.read()[1], drawn.read()[1]) for _ in range(12)]
    differences = [np.abs(a.astype(int) - b).mean() for a, b in pairs]
    assert min(differences[4:]) > 2 * differences[0]  # the first frame shows no track yet


def test_a_folder_of_frames_has_its_public_detections(here):
    folder = write_mot_sequence(here / "TOY-01")
    assert track(video=str(folder / "img1"), detections="public") == 0
    assert read_results(here / "out.txt")["track_id"].nunique() == 3
    assert cv2.VideoCapture("out.mp4").get(cv2.CAP_PROP_FPS) == 10


def test_a_model_is_asked_for_every_box_and_its_gate_is_used(here, monkeypatch, capsys, caplog):
    asked = []

    class Counting(FakeEmbedder):
        def embed(self, crops, batch_size=64):
            asked.append(len(crops))
            return super().embed(crops)

    monkeypatch.setattr(live, "_load", lambda folder: Counting())
    (here / "model").mkdir()
    (here / "model" / "calibration.json").write_text('{"gates": {"cosine": 0.35}}')
    with caplog.at_level("INFO", logger="reidops"):
        assert track(model="model") == 0
    assert sum(asked) == 36
    assert "appearance gate 0.350" in caplog.text


def test_a_score_floor_leaves_detections_out(here):
    assert track("--min-confidence", "0.95") == 0
    assert (here / "out.txt").read_text() == ""
    assert num_frames(here / "out.mp4") == 12


def test_it_ends_after_so_many_frames_and_that_is_no_break(here, caplog):
    assert track("--max-frames", "5", "--no-video", "--results", "r.txt", output=None) == 0
    assert left_over(here) == {"r.txt"}
    assert read_results(here / "r.txt")["frame"].max() == 5
    assert "broke off" not in caplog.text


def test_constants_of_the_tracker_can_be_changed(here):
    track("--constants", "n_init=6")
    late = read_results(here / "out.txt")["frame"].min()
    track()
    assert (read_results(here / "out.txt")["frame"].min(), late) == (3, 6)


@pytest.mark.parametrize("method", ["sparse-flow", "ecc"])
def test_the_camera_may_be_followed(here, method):
    assert track("--camera-motion", method, "--max-frames", "4", tracker="strongsort") == 0


def test_a_video_that_breaks_off_is_tracked_as_far_as_it_goes(here, caplog):
    path = write_drawn_video(here / "street.avi", 40)
    write_drawn_detections(here / "street.txt", 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert track() == 0
    frames = num_frames(here / "out.mp4")
    assert 10 < frames < 30
    assert read_results(here / "out.txt")["frame"].max() == frames
    assert f"broke off after frame {frames} of 40" in caplog.text
    assert f"the tracks of the first {frames} frames are kept" in caplog.text


def test_ctrl_c_keeps_what_was_tracked(here, monkeypatch, caplog):
    class Interrupted(FakeEmbedder):
        num_calls = 0

        def embed(self, crops, batch_size=64):
            self.num_calls += 1
            if self.num_calls == 8:
                raise KeyboardInterrupt
            return super().embed(crops)

    monkeypatch.setattr(live, "_load", lambda folder: Interrupted())
    assert track("--gate", "published", model=".") == 130
    assert num_frames(here / "out.mp4") == 7 and read_results(here / "out.txt")["frame"].max() == 7
    assert "interrupted after 7 frames; the tracks" in caplog.text
    assert left_over(here) == {"out.mp4", "out.txt"}


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        ((), {"video": "nowhere.avi"}, "nowhere.avi: no such file; expected a video, or a folder of frames"),
        (
            (),
            {"detections": "street.avi", "output": "out.mp4"},
            "street.avi: byte 5 is not text",
        ),
        ((), {"detections": "nowhere.txt"}, "nowhere.txt: no such file; expected detections"),
        ((), {"detections": "nowhere.onnx"}, "nowhere.onnx: no such file; give the path of a detector's ONNX file"),
        ((), {"model": "nowhere"}, "nowhere: no such folder; expected a model's folder"),
        ((), {"tracker": "deapsort"}, "--tracker deapsort: unknown; use one of"),
        ((), {"output": None}, "no output; give --output FILE.mp4"),
        (("--results", "out.txt"), {"output": "street.avi"}, "street.avi: is an input"),
        ((), {"output": "street.mp4"}, "street.txt: is an input"),
        (("--results", "out.mp4"), {}, "out.mp4: is named for two outputs"),
        (("--times", "out.txt"), {}, "out.txt: is named for two outputs"),
        (("--codec", "QQQQ"), {}, "out.mp4: no codec 'QQQQ' is there for .mp4; there are vp9, h264"),
        (("--constants", "max_age"), {}, "max_age: expected name=value"),
        (("--constants", "max_agee=3"), {}, "max_agee"),
        (("--detector", "nms=x"), {}, "command line: detector.nms is 'x'"),
    ],
)
def test_bad_input_is_one_message_and_no_file(here, capfd, options, changes, message):
    assert track(*options, **changes) == 1
    assert message in capfd.readouterr().err
    assert not left_over(here)


def test_words_that_are_no_numbers_are_told(here, capsys):
    for option, value in (("--scale", "0"), ("--gate", "tight"), ("--detections-size", "768"), ("--max-frames", "0")):
        assert track(option, value) == 2
        assert f"argument {option}: {value!r}, expected" in capsys.readouterr().err


def test_detections_of_a_larger_picture_are_scaled_to_this_one(here):
    track()
    plain = read_results(here / "out.txt")
    write_drawn_detections(here / "large.txt", scale=1.6)
    for options in (("--scale", "0.625"), ("--detections-size", "256x154")):
        assert track(*options, detections="large.txt") == 0
        scaled = read_results(here / "out.txt")
        # Numbers follow the order of the first boxes, which rounding may turn.
        boxes, expected = (
            t.sort_values(["frame", "left"])[["frame", "left", "top", "width", "height"]] for t in (scaled, plain)
        )
        np.testing.assert_allclose(boxes, expected, atol=0.3)


def test_a_detector_looks_at_every_frame(here):
    # It finds the same box in every picture, and its settings come from the command line.
    box = np.array([[10, 20, 40, 80], [100, 20, 130, 80]], np.float32)
    write_detector(here / "d.onnx", {"boxes": box, "scores": np.array([0.9, 0.3], np.float32)}, size=(96, 160))
    for confidence, num_tracks in (("0.2", 2), ("0.5", 1)):
        assert track("--detector", f"min_confidence={confidence}", "layout=boxes", detections="d.onnx") == 0
        assert read_results(here / "out.txt")["track_id"].nunique() == num_tracks


def test_rows_in_any_order_and_frames_without_any_give_the_same_tracks(here):
    lines = [line for line in (here / "street.txt").read_text().splitlines() if not line.startswith("7,")]
    texts = []
    for order in (lines, lines[::-1]):
        (here / "street.txt").write_text("\n".join(order) + "\n")
        assert track() == 0
        texts.append((here / "out.txt").read_text())
    assert texts[0] == texts[1] and num_frames(here / "out.mp4") == 12
    # DeepSORT's tracks coast through frame 7
    assert sorted(set(read_results(here / "out.txt")["frame"])) == list(range(3, 13))


def test_without_a_detection_there_is_no_track_and_the_video_is_whole(here):
    (here / "street.txt").write_text("")
    assert track() == 0
    assert (here / "out.txt").read_text() == "" and num_frames(here / "out.mp4") == 12


def test_the_time_of_each_step_is_reported(here, caplog):
    with caplog.at_level("INFO", logger="reidops"):
        assert track("--times", "times.json", "--no-video", "--results", "out.txt", output=None) == 0
    times = read_json(here / "times.json")
    assert times["num_frames"] == 12
    assert set(times["ms_per_frame"]) == {"read", "detect", "embed", "associate", "write"}
    assert all(ms >= 0 for ms in times["ms_per_frame"].values()) and times["ms_per_frame"]["associate"] > 0
    assert "ms per frame: read " in caplog.text


def test_a_long_video_is_never_in_memory(here):
    alive, most = [], 0

    class Long:
        num_frames, frame_rate = 60, 10.0

        def frames(self):
            nonlocal most
            for number in range(1, 61):
                picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
                alive.append(weakref.ref(picture))
                most = max(most, sum(reference() is not None for reference in alive))
                yield number, picture
                del picture

    tracker = live.start_tracker("deepsort", None, "sparse_flow", {})
    video_tracker = VideoTracker(DetectionFile(here / "street.txt"), FakeEmbedder(), tracker)
    tally = write_tracks(Long(), video_tracker, Outputs(here / "out.txt", here / "out.mp4", 10.0))
    assert (tally.num_frames, tally.track_ids) == (60, {1, 2, 3})
    assert most <= 3
