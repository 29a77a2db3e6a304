"""reidops/generation/: the Fréchet distance and the search for copies agree with plain computations."""

import tarfile

import numpy as np
import pytest
from drawn_crops import write_crops

from reidops.embedding.images import CropStore, load_images
from reidops.generation.assessment import assess
from reidops.generation.contact_sheet import draw_sheet
from reidops.generation.copies import compare_with_training, find_nearest
from reidops.generation.features import FeatureNetwork
from reidops.generation.frechet import frechet_distance
from reidops.generation.packing import pack_generated
from reidops.tables import CROPS, read_table

RNG = np.random.default_rng(0)


def test_the_frechet_distance_of_one_feature_is_that_of_its_mean_and_deviation():
    one, other = RNG.normal(1, 2, (500, 1)), RNG.normal(-1, 0.5, (400, 1))
    expected = (one.mean() - other.mean()) ** 2 + (one.std(ddof=1) - other.std(ddof=1)) ** 2
    assert frechet_distance(one, other) == pytest.approx(expected)


def test_the_frechet_distance_of_independent_features_is_the_sum_over_them():
    one, other = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]), np.array([[4.0, 3], [4, -3], [0, 3], [0, -3]])
    deviations = np.sqrt(4 / 3) * np.array([1, 1]), np.sqrt(4 / 3) * np.array([2, 3])
    assert frechet_distance(one, other) == pytest.approx(2**2 + np.square(deviations[0] - deviations[1]).sum())


def test_equal_sets_have_no_distance_and_one_crop_has_none():
    features = RNG.normal(size=(50, 8))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert np.isnan(frechet_distance(features[:1], features))


def test_the_nearest_reference_is_that_of_a_plain_loop():
    queries, references = RNG.normal(size=(600, 3)), RNG.normal(size=(40, 3))
    nearest = find_nearest(queries, references)
    for i in (0, 511, 512, 599):
        distances = [np.linalg.norm(queries[i] - reference) for reference in references]
        assert nearest.rows[i] == np.argmin(distances) and nearest.distances[i] == pytest.approx(min(distances))


def test_references_of_the_own_group_are_not_permitted():
    points = np.array([[0.0], [0.1], [5.0]])
    nearest = find_nearest(points, points, (np.array([1, 1, 2]), np.array([1, 1, 2])))
    assert nearest.rows.tolist() == [2, 2, 1] and nearest.distances == pytest.approx([5, 4.9, 4.9])
    alone = find_nearest(points, points, (np.ones(3), np.ones(3)))
    assert alone.rows.tolist() == [-1, -1, -1] and np.isinf(alone.distances).all()


def test_copies_of_training_crops_are_found_and_new_crops_are_none():
    training = np.repeat(RNG.normal(size=(20, 6)), 2, axis=0) + 0.01 * RNG.normal(size=(40, 6))
    pictures, people = np.arange(40), np.repeat(np.arange(20), 2)
    copied = compare_with_training(training[:10] + 1e-4, training, pictures, people)
    new = compare_with_training(RNG.normal(size=(10, 6)), training, pictures, people)
    assert copied["share_of_copies"] == 1 and new["share_of_copies"] == 0
    assert copied["generated"] < copied["other_picture"] < copied["other_person"]


def test_generated_crops_are_packed_as_every_set_is(tmp_path):
    images = np.full((3, 32, 16, 3), (200, 100, 50), np.uint8)
    table = pack_generated(images, tmp_path)
    assert table.equals(read_table(tmp_path / "crops.parquet", CROPS)) and (table["pid"] == -1).all()
    back = load_images(CropStore(tmp_path / "crops.tar", table), np.arange(3), 32, 16)
    assert np.abs(back.astype(int) - images).max() <= 3
    with tarfile.open(tmp_path / "crops.tar") as tar:
        assert tar.getnames() == list(table["path"])


@pytest.fixture
def assessed(tmp_path):
    crops = write_crops(tmp_path) / "crops"
    table = read_table(crops / "crops.parquet", CROPS)
    store = CropStore(crops / "crops.tar", table)
    means = FeatureNetwork("mean colours", 32, 16, lambda images: images.mean(axis=(1, 2)).astype(np.float32))
    copies = load_images(store, table.index[table["split"] == "train"].to_numpy()[:12], 64, 32)
    return copies, store, assess(copies, store, table, means, seed=0)


def test_crops_that_copy_the_training_are_assessed_as_copies(assessed):
    copies, _, assessment = assessed
    report = assessment.report
    assert report["features"] == "mean colours" and report["frechet_num_crops"] == 12
    assert report["nearest_by_pixels"]["share_of_copies"] == 1
    assert set(assessment.rows[assessment.nearest.rows]) == set(range(12))


def test_the_contact_sheet_has_training_generated_and_paired_crops(assessed):
    copies, store, assessment = assessed
    sheet = draw_sheet(copies, store, assessment, seed=0)
    assert sheet.size == (20 * 51 + 3, 3 * 22 + (2 + 1 + 2) * 99 + 3)
