import numpy as np
import onnx
import pytest

from functions.bundle.runtime import Classifier
from pipeline.errors import ExportError
from pipeline.export import export
from pipeline.model import build_pipeline, fit, to_float32, to_frame
from pipeline.parity import RowSet, prove, random_rows, threshold_rows
from pipeline.table import Table
from pipeline.train import open_exported, parity_rows

TREES = "sklearn.tree.DecisionTreeClassifier"


def trained(make_params, tables, **sections):
    params = make_params(**sections)
    pipeline = fit(build_pipeline(params), tables[0])
    return params, pipeline, export(pipeline, len(tables[0].features))


@pytest.mark.parametrize(
    ("train", "data"),
    [
        ({"estimator": "sklearn.ensemble.RandomForestClassifier", "n_estimators": 30}, {}),
        ({"estimator": "sklearn.ensemble.ExtraTreesClassifier", "n_estimators": 30}, {}),
        ({"estimator": "sklearn.ensemble.GradientBoostingClassifier", "n_estimators": 10}, {}),
        ({"estimator": "sklearn.ensemble.AdaBoostClassifier", "n_estimators": 10}, {}),
        ({"estimator": "sklearn.ensemble.BaggingClassifier", "max_features": 0.5}, {}),
        ({"estimator": TREES}, {"impute": "median"}),
        ({"estimator": "sklearn.linear_model.LogisticRegression", "max_iter": 1000}, {"scale": True}),
        ({"estimator": "sklearn.neural_network.MLPClassifier", "max_iter": 2000}, {"scale": True, "impute": "mean"}),
        ({"estimator": "sklearn.naive_bayes.GaussianNB"}, {}),
        ({"estimator": "sklearn.neighbors.KNeighborsClassifier"}, {"scale": True}),
    ],
)
def test_exported_model_equals_the_fitted_one(make_params, iris, train, data):
    params, pipeline, model = trained(make_params, iris, train=train, data=data, export={"random_rows": 500})
    sets = parity_rows(params, pipeline[-1], *iris)

    proof = prove(pipeline, Classifier(model), iris[0].features, sets)
    assert proof.rows == sum(len(rows.rows) for rows in sets) >= 650
    assert proof.difference <= 1e-5


@pytest.mark.parametrize(("labels"), [[True, False, True], [3, -7, 12], ["b", "a", "c"]])
def test_exported_model_keeps_the_order_of_classes_of_any_type(make_params, iris, labels):
    names = dict(zip(["setosa", "versicolor", "virginica"], labels, strict=True))
    tables = [
        Table(table.features, table.target, table.values, [names[label] for label in table.labels], table.origins)
        for table in iris
    ]
    params, pipeline, model = trained(make_params, tables, train={"estimator": TREES, "max_depth": 3})

    assert prove(pipeline, Classifier(model), tables[0].features, parity_rows(params, pipeline[-1], *tables)).rows > 0
    assert pipeline.classes_.tolist() == tables[0].classes()


def test_export_gives_the_same_bytes_in_every_process(reproduced):
    code = """
from pipeline.export import export
from sklearn.ensemble import BaggingClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
import hashlib, numpy
rows = numpy.arange(40.0).reshape(20, 2)
for model in BaggingClassifier(random_state=1), KNeighborsClassifier():
    pipeline = Pipeline([("classifier", model)]).fit(rows, numpy.arange(20) % 2)
    print(hashlib.sha256(export(pipeline, 2)).hexdigest())
"""
    said = {reproduced.run("python", "-W", "ignore", "-c", code, PYTHONHASHSEED=seed).stdout for seed in ("1", "2")}

    assert len(said) == 1


def test_estimator_without_converter_is_refused(make_params, iris):
    train = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": 3}

    with pytest.raises(ExportError, match=r"HistGradientBoostingClassifier can't be exported to ONNX.*name one that"):
        trained(make_params, iris, train=train)


def test_threshold_rows_reach_every_split_from_both_sides(make_params, iris):
    _, pipeline, _ = trained(make_params, iris, train={"estimator": TREES})
    tree = pipeline[-1].tree_
    rows = threshold_rows(pipeline[-1], np.median(iris[0].values, axis=0).astype(np.float32))

    reached = tree.decision_path(rows).toarray().any(axis=0)
    assert reached.all()
    splits = np.flatnonzero(tree.feature >= 0)
    for node in splits:
        values = rows[tree.decision_path(rows).toarray()[:, node].astype(bool), tree.feature[node]]
        middle = np.float32(tree.threshold[node])
        for value in (np.nextafter(middle, np.float32(-np.inf)), middle, np.nextafter(middle, np.float32(np.inf))):
            assert value in values


def test_threshold_rows_find_a_split_that_is_off_by_one_ulp(make_params, iris):
    """The least fault that an export can have: one threshold, moved by the last bit of a float32."""
    params, pipeline, model = trained(make_params, iris, train={"estimator": TREES})
    graph = onnx.load_model_from_string(model)
    [thresholds] = [
        attribute for node in graph.graph.node for attribute in node.attribute if attribute.name == "nodes_values"
    ]
    moved = np.array(thresholds.floats, dtype=np.float32)
    split = int(np.flatnonzero(moved)[0])
    thresholds.floats[split] = float(np.nextafter(moved[split], np.float32(np.inf)))

    with pytest.raises(ExportError, match=r"differs from .* on threshold row .*scikit-learn says .*ONNX says"):
        prove(
            pipeline,
            Classifier(graph.SerializeToString()),
            iris[0].features,
            parity_rows(params, pipeline[-1], *iris),
        )


def test_export_of_another_model_is_named_with_row_and_both_answers(make_params, iris):
    params, pipeline, _ = trained(make_params, iris, train={"estimator": TREES, "max_depth": 2})
    other = trained(make_params, iris, train={"estimator": TREES, "max_depth": 1})[2]

    with pytest.raises(ExportError, match=r"on line \d+ \(sepal_length=.*says 'v.*' with .*data\.scale: false"):
        prove(pipeline, Classifier(other), iris[0].features, parity_rows(params, pipeline[-1], *iris))


class Tie:
    """A fitted model that gives both classes the same probability, and names one of them."""

    classes_ = np.array(["a", "b"])

    def __init__(self, gap):
        self.gap = gap

    def predict_proba(self, frame):
        return np.tile([0.5 + self.gap / 2, 0.5 - self.gap / 2], (len(frame), 1))

    def predict(self, frame):
        return np.repeat("a", len(frame))


class Opposite:
    """An exported model that breaks the tie the other way."""

    def probabilities(self, rows):
        return np.tile(np.array([0.499999, 0.500001], dtype=np.float32), (len(rows), 1))


def test_labels_may_differ_at_a_tie_only():
    rows = [RowSet("random", np.zeros((3, 1), dtype=np.float32))]

    assert prove(Tie(0.0), Opposite(), ["x"], rows).ties == 3
    with pytest.raises(ExportError, match="random row 1"):
        prove(Tie(1.2e-5), Opposite(), ["x"], rows)


def test_random_rows_cover_their_range_and_miss_values_where_allowed():
    low, high = np.array([-3.4e38, 0.0]), np.array([3.4e38, 1.0])
    rows = random_rows(low, high, 2000, seed=1, missing=True)

    assert np.isnan(rows).mean() == pytest.approx(0.1, abs=0.02)
    assert np.nanmin(rows[:, 0]) < -3e38 < 3e38 < np.nanmax(rows[:, 0]) < np.inf
    assert not np.isnan(random_rows(low, high, 2000, seed=1, missing=False)).any()


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ExportError, match="onnxruntime can't load the model"):
        open_exported(b"nothing")


def test_both_models_see_the_same_float32_numbers(iris):
    rows = to_float32(iris[0].values)

    assert (to_frame(rows, iris[0].features).to_numpy() == rows).all()
