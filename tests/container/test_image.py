"""What is in the images, what takes the room, and what changes with what."""

import json
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.container

ROOT = Path(__file__).resolve().parents[2]

MEGABYTES = 185
"""Above the base; the pages' assets, the model and the Google clients included."""

COMPILERS = ("gcc", "g++", "cc", "c++", "clang", "tcc", "ld", "as", "make", "cmake", "rustc", "cargo", "go")
LARGEST = "cd / && du --block-size=1M --max-depth=6 app | sort --reverse --numeric-sort | head -40"


@pytest.fixture(scope="module")
def shell(docker, image):
    """Run a line of shell in the serving image, or another, and give its output."""
    return lambda line, image=image: docker("run", "--rm", "--user", "0", image, "sh", "-c", line).stdout


def test_size_above_the_base_is_in_its_budget(inspect, image, base, shell):
    megabytes = (inspect(image)["Size"] - inspect(base)["Size"]) / 1e6
    assert megabytes <= MEGABYTES, f"{megabytes:.0f} MB above {base}; what takes the room, in MiB:\n{shell(LARGEST)}"


def test_serving_page_names_the_budget():
    assert f"| {MEGABYTES} MB |" in (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


def test_labels_name_version_revision_and_source(inspect, image, labels):
    found = inspect(image)["Config"]["Labels"]
    assert {name: found[f"org.opencontainers.image.{name}"] for name in labels} == labels


def test_image_runs_as_a_number_without_a_shell_and_reports_to_nobody(inspect, image):
    config = inspect(image)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["python", "-m", "functions.server"]
    assert not config.get("Entrypoint")
    assert "ORT_DISABLE_TELEMETRY=1" in config["Env"]
    assert "curl" not in " ".join(config["Healthcheck"]["Test"])


def test_image_is_of_the_engines_processor(docker, inspect, image):
    assert inspect(image)["Architecture"] == docker("version", "--format", "{{.Server.Arch}}").stdout.strip()


def test_image_holds_no_tests_stubs_headers_or_compilers(shell):
    assert shell("find /app -type d '(' -name test -o -name tests ')'") == ""
    assert shell("find /app -type f '(' -name 'test_*.py' -o -name '*.pyi' -o -name '*.h' -o -name '*.c' ')'") == ""
    assert shell(f"for name in {' '.join(COMPILERS)}; do command -v $name || true; done") == ""


def test_image_adds_nothing_to_its_base_but_the_app(shell, image, base):
    """No cache of a package manager either: those lie elsewhere."""
    listing = "find / -xdev -path /app -prune -o -print | sort"
    assert shell(listing, image).split("\n") == shell(listing, base).split("\n")


def test_image_holds_serving_only(shell):
    assert shell("ls -A /app").split() == [".venv", "bytecode", "functions", "models"]
    assert sorted(shell("ls /app/models").split()) == ["metadata.json", "metrics.json", "model.onnx"]
    assert shell("cd /app/.venv/lib/python3*/site-packages && ls -d sklearn pandas mlflow dvc uv pip || true") == ""


def test_google_clients_work_without_what_was_left_out(shell):
    """Made without credentials, so that nothing is asked for; signing is what needs cryptography."""
    code = (
        "from google.auth.credentials import AnonymousCredentials as Anonymous; "
        "from google.cloud import secretmanager, storage; import google.auth.crypt.rsa; "
        "storage.Client(project='p', credentials=Anonymous()); "
        "secretmanager.SecretManagerServiceClient(credentials=Anonymous()); print('made')"
    )
    assert shell(f'python -c "{code}"') == "made\n"


def layers(inspect, image):
    return inspect(image)["RootFS"]["Layers"]


@pytest.fixture
def changed(project, tmp_path):
    """A copy of what the image is built from, to change."""
    folder = tmp_path / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("mlruns", "mlflow.db"))
    return folder


def test_another_model_changes_the_last_layer_only(build, inspect, image, changed):
    metadata = changed / "models" / "metadata.json"
    metadata.write_text(json.dumps(json.loads(metadata.read_bytes()) | {"version": "another"}))
    before, after = layers(inspect, image), layers(inspect, build(context=changed))
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_another_line_of_code_leaves_the_packages_layer(build, inspect, image, base, changed):
    with (changed / "functions" / "app.py").open("a") as file:
        file.write("\n# another line\n")
    packages = len(layers(inspect, base)) + 2  # the working directory, then the packages
    before, after = layers(inspect, image), layers(inspect, build(context=changed))
    assert after[:packages] == before[:packages]
    assert after != before


def test_mounted_code_runs_instead_of_the_compiled(docker, image, changed):
    (changed / "functions" / "__init__.py").write_text('__version__ = "another"\n')
    mount = f"{changed / 'functions'}:/app/functions:ro"
    code = "import functions; print(functions.__version__)"
    assert docker("run", "--rm", "--volume", mount, image, "python", "-c", code).stdout == "another\n"


def test_pipeline_image_trains_judges_and_releases(docker, pipeline_image):
    line = "id -u && mlflow --version && dvc repro --quiet && dvc status && ls models"
    output = docker("run", "--rm", "--cap-drop", "ALL", pipeline_image, "sh", "-c", line).stdout
    assert output.startswith("10001\nmlflow, version ")
    assert "up to date" in output
    assert output.split()[-3:] == ["metadata.json", "metrics.json", "model.onnx"]
