"""stages/train.py: a training that is killed, stopped or repeated ends in the same weights; bad input is an error."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from default_params import default_params
from drawn_crops import write_crops
from safetensors.torch import load_file, save_file

from reidops.embedding.embedder import Embedder
from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.tables import CROPS, read_table, write_table
from reidops.training import precision, training
from reidops.training.training import Trainer
from stages.train import TrainParams, train

pytestmark = pytest.mark.slow

TINY = {
    "backbone": "test_efficientnet", "height": 64, "width": 32, "embedding_dim": 16, "people_per_batch": 3,
    "crops_per_person": 2,
    "epochs": 3, "warmup_epochs": 1, "val_every": 1, "precision": "32-true", "threads": 1, "ema": 0.9, "track": None,
    "erasing": 0.3, "jitter": 0.2,
}  # fmt: skip

KILLED_WHILE_SAVING = """
import os, signal, sys, torch
from pathlib import Path
from stages.train import TrainParams, train
whole_save, saves = torch.save, []
def save_half(state, stream):
    whole_save(state, stream)
    saves.append(stream)
    if len(saves) == 2:
        stream.truncate(stream.tell() // 2)
        stream.flush()
        os.kill(os.getpid(), signal.SIGKILL)
torch.save = save_half
data = Path(sys.argv[1])
train(data / "crops", data / "validation", data / "generated", data / "killed", TrainParams(**eval(sys.argv[2])))
"""


TELLS_ITS_STEPS = """
import sys
from pathlib import Path
from reidops.training.training import Trainer
from stages.train import TrainParams, train
count = Trainer._count_step
def count_and_tell(trainer, losses):
    count(trainer, losses)
    print(trainer._progress.step, flush=True)
Trainer._count_step = count_and_tell
data = Path(sys.argv[1])
train(data / "crops", data / "validation", data / "generated", data / sys.argv[2], TrainParams(**eval(sys.argv[3])))
"""


def params_of(**changes: object) -> TrainParams:
    return default_params(TrainParams, **TINY | changes)


def run(data: Path, name: str = "model", **changes: object) -> Path:
    train(data / "crops", data / "validation", data / "generated", data / name, params_of(**changes))
    return data / name


def weights(model: Path) -> dict[str, torch.Tensor]:
    return load_file(model / "model.safetensors")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_crops(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _own_checkpoints(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture(scope="module")
def undisturbed(data) -> dict[str, torch.Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(data))
        return weights(run(data, "undisturbed"))


def fail_at_step(monkeypatch, step: int, failure) -> None:
    """Call `failure` with the trainer after that many steps."""
    count = Trainer._count_step

    def count_and_fail(trainer, losses):
        count(trainer, losses)
        if trainer._progress.step == step:
            failure(trainer)

    monkeypatch.setattr(Trainer, "_count_step", count_and_fail)


def test_the_same_params_give_the_same_folder_to_the_last_bit(data, undisturbed):
    again, before = run(data, "again"), data / "undisturbed"
    assert {f.name: f.read_bytes() for f in again.iterdir()} == {f.name: f.read_bytes() for f in before.iterdir()}
    assert not equal(weights(run(data, "other", seed=1)), undisturbed)


def test_a_training_killed_at_random_moments_goes_on_to_the_same_weights(data, undisturbed):
    seed = time.time_ns()
    rng = random.Random(seed)
    for _ in range(2):  # `make test-faults` kills more often
        killed = subprocess.Popen(
            [sys.executable, "-c", TELLS_ITS_STEPS, str(data), "random", repr(vars(params_of()))],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(rng.randint(1, 9)):  # so many steps, and a little
            killed.stdout.readline()
        time.sleep(rng.uniform(0, 0.2))
        killed.kill()
        killed.communicate()
    assert equal(weights(run(data, "random")), undisturbed), f"seed {seed}"


def test_a_training_killed_while_it_saves_goes_on_to_the_same_weights(data, undisturbed, tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_SAVING, str(data), repr(vars(params_of()))],
        env=os.environ,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL
    (folder,) = (tmp_path / "data" / "checkpoints").iterdir()
    assert (
        sorted(f.name for f in folder.iterdir()) == [".state.pt.partial", "state.pt"] and not (data / "killed").exists()
    )
    assert equal(weights(run(data, "killed")), undisturbed)
    assert not folder.exists()


@pytest.mark.parametrize("step", [1, 7, 12])
def test_a_training_that_dies_between_two_steps_goes_on_to_the_same_weights(data, undisturbed, monkeypatch, step):
    class Death(BaseException):
        pass

    def die(_):
        raise Death

    with monkeypatch.context() as patch, pytest.raises(Death):
        fail_at_step(patch, step, die)
        run(data, f"died{step}")
    assert equal(weights(run(data, f"died{step}")), undisturbed)


def test_sigterm_saves_in_the_middle_of_an_epoch_and_the_next_run_goes_on_from_there(
    data, undisturbed, monkeypatch, caplog
):
    with monkeypatch.context() as patch, pytest.raises(ReidopsError, match="stopped by a signal after step 8"):
        fail_at_step(patch, 8, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        run(data, "stopped")
    with caplog.at_level("INFO"):
        assert equal(weights(run(data, "stopped")), undisturbed)
    assert "continue after step 8" in caplog.text


def test_the_model_folder_is_whole_and_loads(data, undisturbed):
    model = data / "undisturbed"
    assert sorted(f.name for f in model.iterdir()) == [
        "curves.png",
        "embedder.json",
        "history.csv",
        "model.safetensors",
    ]
    embedder = Embedder.load(model)
    assert embedder.dim == 16 and embedder.input_size == (64, 32)
    description = read_json(model / "embedder.json")
    assert (
        description["num_classes"] == 6
        and description["trained_on"]["datasets"] == ["drawn"]
        and description["trained_on"]["num_crops"] == 36
    )


def test_the_history_has_a_row_per_epoch_and_the_best_one_is_kept(data, undisturbed):
    history = pd.read_csv(data / "undisturbed" / "history.csv")
    assert list(history) == ["epoch", "loss", "loss_cross-entropy", "loss_triplet", "lr", "val_mAP", "val_rank1"]
    assert list(history["epoch"]) == [1, 2, 3] and history.notna().all(axis=None)
    kept = read_json(data / "undisturbed" / "embedder.json")["trained_on"]["epoch"]
    assert kept == history["epoch"][history["val_mAP"].argmax()]
    assert history["loss"].to_numpy() == pytest.approx(
        (history["loss_cross-entropy"] + history["loss_triplet"]).to_numpy(), abs=1e-4
    )


def test_epochs_between_two_looks_at_the_held_out_people_leave_the_score_empty(data):
    history = pd.read_csv(run(data, "looks", val_every=2) / "history.csv")
    assert history["val_mAP"].notna().tolist() == [False, True, True]


def test_without_held_out_people_the_last_epoch_is_kept_and_that_is_said(tmp_path, caplog):
    data = write_crops(tmp_path / "alone", num_val=0)
    with caplog.at_level("INFO"):
        model = run(data, epochs=2)
    assert read_json(model / "embedder.json")["trained_on"]["epoch"] == 2
    assert "no held-out people" in caplog.text and "last epoch" in caplog.text


def test_bf16_and_every_part_that_can_be_left_out_train_too(data):
    run(
        data,
        "plain",
        precision="bf16-mixed",
        ema=0.0,
        clip=1.0,
        erasing=0.0,
        jitter=0.0,
        optimizer="sgd",
        loss_options={"triplet": {"margin": 0.3}},
        epochs=1,
    )


def test_the_chosen_precision_is_logged_and_stands_in_the_model(data, monkeypatch, caplog):
    monkeypatch.setattr(precision, "cpu_computes_in_bf16", lambda: False)
    with caplog.at_level("INFO"):
        model = run(data, "auto", precision="auto", epochs=1)
    assert "precision 32-true on cpu (chosen by train.precision: auto)" in caplog.text
    assert read_json(model / "embedder.json")["trained_on"]["precision"] == "32-true"


def test_a_training_begun_in_one_precision_does_not_go_on_in_another(data, monkeypatch, caplog):
    """The same params on a machine that computes in bf16, then the checkpoint's folder on one that does not."""
    monkeypatch.setattr(precision, "cpu_computes_in_bf16", lambda: True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        fail_at_step(patch, 8, _interrupt)
        run(data, "moved", precision="auto")
    monkeypatch.setattr(precision, "cpu_computes_in_bf16", lambda: False)
    with caplog.at_level("INFO"):
        model = run(data, "moved", precision="auto")
    assert "continue after step" not in caplog.text
    assert read_json(model / "embedder.json")["trained_on"]["precision"] == "32-true"


def test_bf16_by_name_on_a_cpu_without_it_warns_with_the_measured_factor(data, monkeypatch, caplog):
    monkeypatch.setattr(precision, "cpu_computes_in_bf16", lambda: False)
    monkeypatch.setattr(precision, "measure_bf16_slowdown", lambda: 17.25)
    run(data, "named", precision="bf16-mixed", epochs=1)
    (warning,) = [
        record.getMessage()
        for record in caplog.records
        if "bf16" in record.getMessage() and record.levelname == "WARNING"
    ]
    assert "17.2 times" in warning and "auto or 32-true" in warning


LEARNT_LOSSES = {"arcface": 0.5, "center": 1.0, "circle-softmax": 0.5, "cosface": 0.5}
COMPARING_LOSSES = {"circle": 1.0, "supcon": 1.0, "multi-similarity": 1.0}
EVERY_CHANGE = {
    "contrast": 0.2,
    "saturation": 0.2,
    "hue": 0.05,
    "grey": 0.1,
    "local_grey": 0.4,
    "auto_augment": "rand-m7-n2",
}


@pytest.mark.parametrize(
    "changes",
    [
        {
            "losses": LEARNT_LOSSES,
            "head_factor": 10.0,
            "schedule": "step",
            "milestones": (2,),
            "optimizer": "adam",
            "optimizer_options": {"amsgrad": True},
        },
        {"losses": COMPARING_LOSSES, "flat_epochs": 2, "warmup_steps": 3, "final_share": 0.1} | EVERY_CHANGE,
        {"parts": 2, "pooling": "gem", "early_sizes": ((0.5, 32, 16),), "freeze": "backbone", "freeze_epochs": 1}
        | {"members": (1.0, 0.75)},
    ],
)
def test_whatever_learns_and_whatever_is_drawn_goes_on_after_a_stop_to_the_same_weights(data, monkeypatch, changes):
    whole = weights(run(data, "whole", **changes))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        fail_at_step(patch, 8, _interrupt)
        run(data, "stopped", **changes)
    assert equal(weights(run(data, "stopped", **changes)), whole)


def _interrupt(_: Trainer) -> None:
    raise KeyboardInterrupt


def test_a_compiled_training_ends_where_a_plain_one_does(data, monkeypatch):
    """Translated, but not to C++, which takes minutes; what is new then is the wrapper about the network."""
    short = {"epochs": 1, "warmup_epochs": 0, "val_every": 1}
    plain = weights(run(data, "plain", **short))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    compiled = weights(run(data, "compiled", **short, compile=True))
    assert plain.keys() == compiled.keys()
    for name, values in plain.items():
        torch.testing.assert_close(
            compiled[name], values, rtol=1e-3, atol=1e-5, msg=lambda message, name=name: f"{name}: {message}"
        )


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_stopped_training_goes_on_with_recomputed_activations_to_the_same_weights(data, monkeypatch, precision):
    whole = weights(run(data, "whole", precision=precision))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        fail_at_step(patch, 8, _interrupt)
        run(data, "stopped", precision=precision)
    assert equal(weights(run(data, "stopped", precision=precision, checkpoint_activations=True)), whole)


def test_compiling_and_recomputing_are_refused_together(data):
    with pytest.raises(ReidopsError, match=r"train\.compile and train\.checkpoint_activations are true"):
        run(data, compile=True, checkpoint_activations=True)


def test_data_that_did_not_pass_validation_are_not_trained_on(tmp_path):
    data = write_crops(tmp_path / "bad")
    write_json({"passed": False, "errors": ["crops.pid: row 3"]}, data / "validation" / "report.json")
    with pytest.raises(ReidopsError, match=r"did not pass validation: crops\.pid: row 3"):
        run(data)


def test_a_loss_that_is_no_number_stops_and_names_the_step_and_the_last_good_state(data, tmp_path):
    with pytest.raises(ReidopsError, match=r"the loss is (nan|inf) at step \d+ of epoch \d+.*train\.learning_rate"):
        run(data, "nan", learning_rate=1e30, optimizer="sgd", warmup_epochs=0, ema=0.0)
    assert not (data / "nan").exists()


@pytest.mark.parametrize(
    ("step", "message"),
    [(6, "the weights are not finite at step 6 of epoch 1"), (8, "the loss is nan at step 3 of epoch 2")],
)
def test_weights_that_are_no_numbers_are_never_saved_and_the_good_state_goes_on(data, monkeypatch, step, message):
    with monkeypatch.context() as patch, pytest.raises(ReidopsError, match=message):
        fail_at_step(patch, step, lambda trainer: trainer._network.classifier[0].weight.data.fill_(torch.nan))
        run(data, "spoiled", val_every=2)
    assert equal(weights(run(data, "spoiled", val_every=2)), weights(run(data, "sound", val_every=2)))


def test_no_epochs_keep_the_loaded_weights_as_they_are(data, undisturbed):
    model = run(data, "untrained", epochs=0, weights=str(data / "undisturbed" / "model.safetensors"))
    assert equal(weights(model), undisturbed)
    assert sorted(f.name for f in model.iterdir()) == ["embedder.json", "history.csv", "model.safetensors"]
    assert pd.read_csv(model / "history.csv").empty


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_checkpoint_with_nan_is_refused_by_its_tensor_whether_or_not_it_is_trained_on(
    data, undisturbed, tmp_path, epochs
):
    spoiled = {name: values.clone() for name, values in undisturbed.items()}
    spoiled["backbone.conv_stem.weight"].view(-1)[:5] = torch.nan
    save_file(spoiled, tmp_path / "nan.safetensors")
    with pytest.raises(
        ReidopsError,
        match=r"nan\.safetensors: NaN or infinite values in backbone\.conv_stem\.weight \(5 of \d+ values\)",
    ):
        run(data, "refused", epochs=epochs, weights=str(tmp_path / "nan.safetensors"))
    assert not (data / "refused").exists()


def test_batches_that_are_added_up_make_fewer_steps_and_are_resumed_alike(data, monkeypatch):
    whole = weights(run(data, "added", accumulate=3))  # 4 batches an epoch: a step of 3, a step of 1
    with monkeypatch.context() as patch, pytest.raises(ReidopsError, match="stopped by a signal after step 5"):
        fail_at_step(patch, 5, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        run(data, "broken", accumulate=3)
    assert equal(weights(run(data, "broken", accumulate=3)), whole)


def test_too_little_memory_names_the_batch_and_what_to_lower(data, monkeypatch):
    monkeypatch.setattr(Trainer, "_count_step", lambda trainer, losses: torch.empty(2**60))
    with pytest.raises(
        ReidopsError, match=r"out of memory with batches of 6 crops of 64 × 32 px .*Lower train\.people_per_batch"
    ):
        run(data, "large")
    assert not (data / "large").exists()


def test_a_split_without_training_people_is_told(tmp_path):
    with pytest.raises(
        ReidopsError, match=r"crops\.parquet: no row has the split `train`; name a set in download\.train"
    ):
        run(write_crops(tmp_path / "empty", num_people=0))


def test_checkpoints_of_trainings_that_were_given_up_are_pruned_to_the_newest(data, tmp_path):
    checkpoints = tmp_path / "data" / "checkpoints"
    for age_hours in (1, 2, 3, 4, 5):
        (checkpoints / f"{age_hours}h").mkdir(parents=True)
        os.utime(checkpoints / f"{age_hours}h", (time.time() - 3700 * age_hours,) * 2)
    run(data, "pruning", epochs=1)
    assert sorted(folder.name for folder in checkpoints.iterdir()) == ["1h", "2h", "finished"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"people_per_batch": 9}, "people_per_batch is 9, but the training split has 6 people"),
        ({"crops_per_person": 1}, "crops_per_person is 1, .*'triplet'"),
        ({"backbone": "resnet81"}, "no backbone 'resnet81'.*resnet18"),
        ({"optimizer": "adamm"}, "'adamm'.*similar names: .*adam"),
        ({"weights": "nowhere.pt"}, r"nowhere\.pt: no such file"),
        ({"losses": {"cross-entropy": 0.0}}, "all losses are 0"),
        ({"losses": {"cross-entrop": 1.0}}, "'cross-entrop' is unknown; did you mean cross-entropy"),
        ({"optimizer_options": {"amsgrid": True}}, "has no option 'amsgrid'.*amsgrad"),
        ({"auto_augment": "rnad-m7"}, "auto_augment is 'rnad-m7'"),
        ({"schedule": "step", "milestones": (2, 1)}, r"milestones are \[2\.0, 1\.0\]"),
        (
            {"backbone": "test_vit", "last_stride": 2, "members": (1.0, 0.5), "early_sizes": ((0.5, 32, 16),)},
            r"train\.early_sizes: the backbone does not accept an image of 16 × 8 px",
        ),
    ],
)
def test_params_that_cannot_work_are_told(data, changes, message):
    with pytest.raises(ReidopsError, match=message):
        run(data, "never", **changes)
    assert not (data / "never").exists()


def test_a_corrupt_crop_is_named_and_nothing_is_left_half(tmp_path):
    data = write_crops(tmp_path / "corrupt")
    with open(data / "crops" / "crops.tar", "r+b") as stream:
        stream.seek(512)
        stream.write(bytes(300))
    with pytest.raises(ReidopsError, match=r"imgs/0000/000000\.jpg .*JPEG, PNG or BMP"):
        run(data)
    assert not (data / "model").exists()


def test_weights_that_are_kept_as_they_are_name_no_training_set_of_this_run(data, undisturbed):
    """With epochs 0 the sets of the crops table trained nobody: what did is known from the record beside the weights,
    or unknown.
    """
    start = data / "undisturbed" / "model.safetensors"
    known = read_json(run(data, "kept", epochs=0, weights=str(start)) / "embedder.json")["trained_on"]
    assert (
        [row["dataset"] for row in known["scenes"]] == ["drawn"]
        and known["scenes"][0]["num_people"] == 9
        and known["unknown_start"] == ""
    )
    alone = data / "alone.safetensors"
    alone.write_bytes(start.read_bytes())
    unknown = read_json(run(data, "unknown", epochs=0, weights=str(alone)) / "embedder.json")["trained_on"]
    assert (unknown["scenes"], unknown["unknown_start"]) == ([], "alone.safetensors")
    begun = read_json(run(data, "begun", epochs=0) / "embedder.json")["trained_on"]
    assert begun == {"epoch": 0, "scenes": [], "started_from": "random weights", "unknown_start": ""}


def test_the_model_records_how_many_people_which_file_left_out(tmp_path):
    data = write_crops(tmp_path / "left_out")
    counts = {"drawn": {"file": "people.csv", "scenes": {"drawn": {"people": 4, "crops": 20}}}}
    write_json({"leave_out": counts}, data / "crops" / "report.json")
    (scene,) = read_json(run(data, epochs=1) / "embedder.json")["trained_on"]["scenes"]
    assert scene["left_out"] == {"num_people": 4, "file": "people.csv"}


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_checkpoint_that_was_trained_on_a_tested_scene_is_refused_as_a_start(data, undisturbed, tmp_path, epochs):
    model = shutil.copytree(data / "undisturbed", tmp_path / "before")
    description = read_json(model / "embedder.json")
    row = {
        "dataset": "MOT17",
        "scene": "09",
        "sequence": "MOT17-09",
        "first_frame": 1,
        "last_frame": 99,
        "num_people": 1,
        "people": [7],
    }
    description["trained_on"]["scenes"] = [row]
    write_json(description, model / "embedder.json")
    crops = shutil.copytree(data / "crops", tmp_path / "crops")
    table = read_table(crops / "crops.parquet", CROPS)
    table.loc[0, ["dataset", "scene", "track_id", "frame", "split"]] = ["MOT17", "09", 7, 50, "query"]
    write_table(table, crops / "crops.parquet", CROPS)
    shutil.copytree(data / "validation", tmp_path / "validation")
    with pytest.raises(
        ReidopsError, match=r"train\.weights: model\.safetensors was trained on frames 1 … 99 of MOT17-09 of MOT17"
    ):
        run(tmp_path, epochs=epochs, weights=str(model / "model.safetensors"))


def test_a_lengthened_training_goes_on_from_the_finished_one_and_states_the_rate(data, caplog):
    run(data, "short")
    epochs = len(pd.read_csv(data / "short" / "history.csv"))
    run(data, "long", epochs=epochs + 1, resume=True)
    short, long = (pd.read_csv(data / name / "history.csv") for name in ("short", "long"))
    assert len(long) == epochs + 1 and long["loss"][:epochs].tolist() == short["loss"].tolist()
    assert "the learning rate was" in caplog.text and "and is now" in caplog.text


def test_norms_are_synchronised_unless_sync_norms_is_false(data, monkeypatch):
    calls = []
    monkeypatch.setattr(training, "synchronise_norms", lambda *arguments: calls.append(arguments))
    for sync_norms in (True, False):
        run(data, "norms", epochs=1, sync_norms=sync_norms)
    assert len(calls) == 1


def test_a_teacher_changes_the_weights_and_its_losses_are_in_the_history(data, undisturbed):
    history = pd.read_csv(run(data, "student", teacher=str(data / "undisturbed")) / "history.csv")
    assert history[["loss_teacher_similarity", "loss_teacher_features"]].notna().all(axis=None)
    assert not equal(weights(data / "student"), undisturbed)
