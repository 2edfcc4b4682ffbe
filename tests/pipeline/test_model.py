import numpy as np
import pytest

from pipeline.errors import InvalidModel
from pipeline.model import build_pipeline, classes_of, fit

FOREST = "sklearn.ensemble.RandomForestClassifier"


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            {"estimator": FOREST, "n_tree": 1},
            r"train\.n_tree is no argument of .*Accepted: n_estimators, criterion",
        ),
        ({"estimator": "sklearn.ensemble.Forest"}, r"sklearn\.ensemble\.Forest can't be imported"),
        ({"estimator": "forest"}, r"forest can't be imported"),
        ({"estimator": "no.such.Thing"}, r"no\.such\.Thing can't be imported"),
        ({"estimator": "sklearn.base.clone"}, r"is no class"),
        ({"estimator": "sklearn.ensemble.RandomForestRegressor"}, r"RandomForestRegressor is no classifier"),
        ({"estimator": "sklearn.preprocessing.StandardScaler"}, r"StandardScaler is no classifier"),
        ({"estimator": "sklearn.svm.LinearSVC"}, r"has no predict_proba as it is configured"),
        ({"estimator": "sklearn.linear_model.SGDClassifier", "loss": "hinge"}, r"has no predict_proba"),
        ({"estimator": "sklearn.ensemble.VotingClassifier"}, r"can't be built: .*estimators"),
    ],
)
def test_estimator_that_is_no_classifier_with_probabilities_is_refused(make_params, train, message):
    with pytest.raises(InvalidModel, match=message):
        build_pipeline(make_params(train=train))


def test_argument_that_scikit_learn_refuses_is_reported(make_params, iris):
    pipeline = build_pipeline(make_params(train={"estimator": FOREST, "n_estimators": -1}))

    with pytest.raises(InvalidModel, match=r"RandomForestClassifier can't be fitted: .*n_estimators.*correct the keys"):
        fit(pipeline, iris[0])


def test_classifier_gets_the_seed_unless_train_says_otherwise(make_params):
    assert build_pipeline(make_params())[-1].random_state == 42
    own = build_pipeline(make_params(train={"estimator": FOREST, "random_state": 3, "n_jobs": 2}))[-1]
    assert (own.random_state, own.n_jobs) == (3, 2)
    bayes = build_pipeline(make_params(train={"estimator": "sklearn.naive_bayes.GaussianNB"}))[-1]
    assert "random_state" not in bayes.get_params()


def test_pipeline_has_the_steps_that_data_asks_for(make_params, iris):
    assert list(build_pipeline(make_params()).named_steps) == ["classifier"]
    pipeline = build_pipeline(make_params(data={"impute": "median", "scale": True}))
    assert list(pipeline.named_steps) == ["imputer", "scaler", "classifier"]
    assert classes_of(fit(pipeline, iris[0])) == ["setosa", "versicolor", "virginica"]
    assert pipeline.feature_names_in_.tolist() == iris[0].features
    assert np.isnan(iris[0].values).sum() == 0
