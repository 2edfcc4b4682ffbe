import numpy as np
import pytest

from functions.bundle.files import read_metadata
from functions.bundle.metadata import FLOAT32_MAX
from pipeline.card import bounds_of, distribution


@pytest.mark.parametrize(
    ("values", "declared", "margin", "bounds"),
    [
        ([1.0, 3.0], None, 1.0, (-1.0, 5.0)),
        ([1.0, np.nan, 3.0], None, 0.5, (0.0, 4.0)),
        ([4.0, 4.0], None, 1.0, (0.0, 8.0)),
        ([0.0, 0.0], None, 1.0, (-1.0, 1.0)),
        ([1.0, 3.0], (0.0, 20.0), 1.0, (0.0, 20.0)),
        ([1.0, 3.0], None, None, (-FLOAT32_MAX, FLOAT32_MAX)),
        ([-3e38, 3e38], None, 1.0, (-FLOAT32_MAX, FLOAT32_MAX)),
    ],
)
def test_bounds_are_declared_or_the_widened_training_range(values, declared, margin, bounds):
    assert bounds_of(np.array(values), declared, margin) == bounds


def test_distribution_counts_every_value_in_bins_of_equal_share(generator):
    found = distribution(generator.normal(size=1000))

    assert found.counts == [100] * 10
    assert found.missing == 0


@pytest.mark.parametrize(
    ("values", "edges", "counts", "missing"),
    [
        ([1.0, 1.0, 1.0], [1.0], [3, 0], 0),
        ([0.0, 1.0, np.nan, 1.0], [0.0, 1.0], [1, 2, 0], 1),
    ],
)
def test_distribution_of_few_values_has_few_bins(values, edges, counts, missing):
    found = distribution(np.array(values))

    assert (found.edges, found.counts, found.missing) == (edges, counts, missing)


def test_metadata_of_the_default_model_says_what_it_is(reproduced):
    found = read_metadata(reproduced.folder / "models/metadata.json")

    assert found.feature_names == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert [feature.bounds for feature in found.features] == [(0.0, 20.0)] * 4
    assert found.target_names == ["setosa", "versicolor", "virginica"]
    assert {example.prediction for example in found.golden_examples} == set(found.target_names)
    assert found.golden_examples[0].instance["petal_width"] == 0.2
    assert (found.name, found.model_type) == ("IrisClassifier", "RandomForestClassifier")
    assert found.params["train"]["n_estimators"] == 200
    assert sum(found.target_reference) == found.n_samples == 120
    assert found.version.endswith(found.model_sha256[:8])
    assert found.git_commit is None
