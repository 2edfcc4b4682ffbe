"""Directions that never turn round: who imports whom, who reads the environment, and that imports do nothing."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVING = sorted((ROOT / "functions").rglob("*.py"))
TRAINING = sorted((ROOT / "pipeline").rglob("*.py"))
NEVER_SERVED = {"sklearn", "pandas", "mlflow", "dvc", "skl2onnx", "onnx", "joblib", "pickle", "cloudpickle"}
READS_ENVIRONMENT = {
    "functions/settings.py",
    "functions/app.py",
    "functions/server.py",
    "functions/doctor.py",
    "functions/main.py",
    "functions/fail_over/__main__.py",
}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def imports_of(path):
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}: imports are absolute"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def environment_reads(path):
    """Lines that read the environment; setting one variable in it is no reading."""
    tree = ast.parse(path.read_text())
    written = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv") and is_os(node.value))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {a.name for a in node.names} & {"environ", "getenv"}
        )
        if id(node) not in written
    ]


def is_os(node):
    return isinstance(node, ast.Name) and node.id == "os"


@pytest.mark.parametrize("path", SERVING, ids=name_of)
def test_serving_imports_neither_the_pipeline_nor_what_trains(path):
    roots = {module.split(".")[0] for module in imports_of(path)}
    assert not roots & (NEVER_SERVED | {"pipeline", "tests"})


@pytest.mark.parametrize("path", [path for path in TRAINING if path.parent.name != "doctor"], ids=name_of)
def test_pipeline_imports_of_serving_the_bundle_only(path):
    used = {module for module in imports_of(path) if module.split(".")[0] == "functions"}
    assert all(module == "functions" or module.startswith("functions.bundle") for module in used)
    assert not {module for module in used if module == "functions"} or "functions.bundle" in used


@pytest.mark.parametrize("path", SERVING, ids=name_of)
def test_environment_is_read_where_settings_are_made_only(path):
    if name_of(path) not in READS_ENVIRONMENT:
        assert environment_reads(path) == []


@pytest.mark.parametrize("path", TRAINING, ids=name_of)
def test_only_params_reads_params_yaml(path):
    if name_of(path) != "pipeline/params.py":
        assert not imports_of(path) & {"yaml", "ruamel.yaml"}


@pytest.mark.parametrize("path", SERVING, ids=name_of)
def test_google_clients_are_imported_where_they_are_used(path):
    top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [alias.name for node in top for alias in node.names if isinstance(node, ast.Import)]
    modules += [node.module for node in top if isinstance(node, ast.ImportFrom)]
    assert not [module for module in modules if module.split(".")[0] == "google"]


# Imports everything once, so that libraries have done whatever they do; forgets our own modules; and
# watches them being imported again.
WATCH_IMPORTS = """
import importlib, json, os, sys

modules = sys.argv[1:]
for module in modules:
    importlib.import_module(module)
loaded = sorted(sys.modules)
for name in [name for name in sys.modules if name.split(".")[0] == "functions"]:
    del sys.modules[name]

seen, watching = [], True


def watch(event, arguments):
    if not watching:
        return
    if event == "open":
        path = str(arguments[0])
        if not path.endswith((".py", ".pyc")) and "__pycache__" not in path:
            seen.append(f"open {path}")
    elif event.split(".")[0] in ("socket", "subprocess", "shutil", "tempfile") or event in ("os.mkdir", "os.system"):
        seen.append(event)


class Environment(type(os.environ)):
    def __getitem__(self, key):
        if watching:
            seen.append(f"environment {key}")
        return super().__getitem__(key)


os.environ.__class__ = Environment
sys.addaudithook(watch)
for module in modules:
    importlib.import_module(module)
watching = False
print(json.dumps({"seen": seen, "loaded": loaded}))
"""


@pytest.fixture(scope="module")
def watched_imports():
    modules = [name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in SERVING]
    command = [sys.executable, "-c", WATCH_IMPORTS, *modules]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)


def test_importing_does_nothing(watched_imports):
    assert watched_imports["seen"] == []


def test_importing_loads_neither_google_clients_nor_what_trains(watched_imports):
    loaded = set(watched_imports["loaded"])
    # Of functions-framework: its .pth file makes two empty packages whenever Python starts, and
    # google.cloud.functions is its own, no client.
    own = {name for name in loaded if name in ("google", "google.cloud") or name.startswith("google.cloud.functions")}
    assert not {name for name in loaded if name.split(".")[0] == "google"} - own
    assert not {name.split(".")[0] for name in loaded} & (NEVER_SERVED - {"pickle"})
    assert "onnxruntime" not in loaded, "it reads its environment when it is imported"
