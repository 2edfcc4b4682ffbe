"""The function `predict` in functions-framework's own server."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.bundle.files import read_metadata

pytestmark = pytest.mark.cloud

AT_ONCE = 4


def test_first_requests_at_once_share_one_app(serve_function, bundle_folder):
    """An instance that starts under load has several first requests: one model, one set of limits, one of keys."""
    example = read_metadata(bundle_folder / "metadata.json").golden_examples[0]
    function = serve_function("predict", MODEL_DIR=str(bundle_folder), RATE_LIMIT_PREDICT="1")

    def predict(_number):
        content = {"Content-Type": "application/json"}
        return function.ask("POST", "/predict", json.dumps(example.instance), content)[0]

    with ThreadPoolExecutor(AT_ONCE) as clients:
        answered = list(clients.map(predict, range(AT_ONCE)))
    assert sorted(answered) == [200] + [429] * (AT_ONCE - 1)
    assert len([line for line in function.log() if line["message"] == "model loaded"]) == 1
