"""The tables, examples and rules of terraform/ agree with its .tf files."""

import functools
import importlib.util
import re
from pathlib import Path

import hcl2
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "terraform"
README = FOLDER / "README.md"
EXAMPLES = sorted(FOLDER.glob("examples/*.tfvars"))
PLAIN = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)
ONLY_IN_TESTS = {
    "project_id",
    "docker_image",
    "functions_archive",
    "repository",
    "mlflow_image",
}  # name the test's project


@pytest.fixture(scope="module")
def document():
    spec = importlib.util.spec_from_file_location("document", FOLDER / "document.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def variables(document):
    return document.blocks("variable")


@functools.cache
def parsed(path: Path) -> dict:
    with path.open(encoding="utf-8") as file:
        return hcl2.load(file, serialization_options=PLAIN)


def runs(path: Path) -> dict:
    return {name: run for block in parsed(path).get("run", []) for name, run in block.items()}


def test_tables_are_current(document):
    text = README.read_text(encoding="utf-8")
    assert document.documented(text) == text, "make terraform-docs"


def test_every_variable_is_explained_in_the_example(variables):
    text = (FOLDER / "terraform.tfvars.example").read_text(encoding="utf-8")
    explained = set(re.findall(r"^(?:# )?(\w+) *= ", text, re.MULTILINE)) | {"api_key_value"}
    assert "TF_VAR_api_key_value" in text
    assert explained == set(variables)


def test_example_shows_the_defaults(variables):
    text = (FOLDER / "terraform.tfvars.example").read_text(encoding="utf-8")
    for name, shown in re.findall(r'^# (\w+) *= ("[^"]*"|[\w.]+)', text, re.MULTILINE):
        default = variables[name]["default"]
        if default is None or name == "docker_image":
            continue  # the line shows what it comes to, or an example
        assert shown.strip('"') == (str(default).lower() if isinstance(default, bool) else str(default)), name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_planned_by_a_run_with_its_values(path):
    run = runs(FOLDER / "tests/scenarios.tftest.hcl")[path.stem.replace("-", "_")]
    (given,) = run["variables"]
    example = parsed(path)
    assert {name: given.get(name) for name in example if name not in ONLY_IN_TESTS} == {
        name: value for name, value in example.items() if name not in ONLY_IN_TESTS
    }
    assert set(given) - ONLY_IN_TESTS <= set(example)
    assert run["assert"]


def test_every_validation_is_seen_to_refuse(variables):
    validated = {name for name, block in variables.items() if "validation" in block}
    refused = {
        fault.removeprefix("${").removesuffix("}").removeprefix("var.")
        for path in FOLDER.glob("tests/*.tftest.hcl")
        for run in runs(path).values()
        if "module" not in run  # a module's own variables are others
        for fault in run.get("expect_failures", [])
    }
    assert validated <= refused


@pytest.mark.parametrize("path", sorted(FOLDER.glob("**/*.tf")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_file_is_short_and_its_variables_are_typed_and_in_order(path):
    text = path.read_text(encoding="utf-8")
    one_resource = len(re.findall(r"^(?:resource|module|variable) ", text, re.MULTILINE)) == 1  # can't be split
    assert text.count("\n") <= 150 or one_resource
    for kind, needed in (("variable", ("description", "type")), ("output", ("description", "value"))):
        names = re.findall(rf'^{kind} "(\w+)" \{{$', text, re.MULTILINE)
        assert names == sorted(names)
        for argument in needed:
            assert len(re.findall(rf'^{kind} "[^}}]*?\n  {argument} +=', text, re.MULTILINE)) == len(names)


def test_every_skipped_check_carries_its_reason():
    for path in FOLDER.glob("**/*.tf"):
        for skip in re.findall(r"checkov:skip=.*", path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"checkov:skip=CKV2?_[A-Z]+_\d+:.{20,}", skip), f"{path}: {skip}"
