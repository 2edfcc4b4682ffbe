import shutil

import pytest

from functions.bundle.files import digest, read_bundle
from pipeline import install as module
from pipeline.errors import BrokenBundle, GateFailed
from pipeline.install import copy_contents, install, load_bundle
from pipeline.release import release


@pytest.fixture
def files(reproduced):
    return copy_contents(reproduced.folder / "models")


def test_install_keeps_other_files_and_the_bundle_before(tmp_path, files):
    folder, previous = tmp_path / "champion", tmp_path / ".champion.previous"
    folder.mkdir()
    (folder / "README.md").write_text("read me")

    install(files, folder, previous)
    assert not previous.exists()
    changed = files | {"metrics.json": files["metrics.json"] + b"\n"}
    install(changed, folder, previous)

    assert copy_contents(folder) == changed
    assert copy_contents(previous) == files
    assert (folder / "README.md").read_text() == "read me"
    assert {path.name for path in tmp_path.iterdir()} == {"champion", ".champion.previous"}


@pytest.mark.parametrize("name", ["model.onnx", "metadata.json", "metrics.json"])
def test_install_of_a_damaged_bundle_leaves_the_folder_as_it_was(tmp_path, files, name):
    folder = tmp_path / "models"
    install(files, folder)

    with pytest.raises(BrokenBundle, match=name):
        install(files | {name: files[name][:-20]}, folder)
    assert copy_contents(folder) == files
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


@pytest.mark.parametrize("step", ["write", "first rename", "second rename"])
def test_install_that_is_cut_off_leaves_one_whole_bundle(tmp_path, files, monkeypatch, step):
    folder = tmp_path / "models"
    install(files, folder)
    changed = files | {"metrics.json": files["metrics.json"] + b"\n"}
    renames = []

    def cut_off(*args):
        raise KeyboardInterrupt

    def rename(path, target):
        renames.append(path)
        if len(renames) == {"first rename": 1, "second rename": 2}[step]:
            raise KeyboardInterrupt
        original(path, target)

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(module.os, "fsync", cut_off)
        else:
            original = type(folder).rename
            patch.setattr(type(folder), "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            install(changed, folder)

    if step != "second rename":
        assert copy_contents(folder) == files
    install(changed, folder)
    assert copy_contents(folder) == changed
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_bundle_that_is_damaged_is_refused_with_a_remedy(tmp_path, files):
    install(files, tmp_path / "champion")
    (tmp_path / "champion/metrics.json").unlink()

    with pytest.raises(BrokenBundle, match=r"metrics\.json: No such file.*restore the bundle in .*champion"):
        load_bundle(tmp_path / "champion")


@pytest.fixture
def artifacts(reproduced, tmp_path):
    return shutil.copytree(reproduced.folder / "artifacts", tmp_path / "artifacts")


def run_release(artifacts, models):
    return release(artifacts / "candidate", artifacts / "metrics.json", artifacts / "gate.json", models)


def test_release_makes_a_bundle_that_verifies(artifacts, tmp_path, files):
    run_release(artifacts, tmp_path / "models")

    assert copy_contents(tmp_path / "models") == files
    assert digest(read_bundle(tmp_path / "models").model) == digest(files["model.onnx"])


def test_release_of_what_failed_the_gate_leaves_models_as_it_was(artifacts, tmp_path, files):
    models = tmp_path / "models"
    install(files, models)
    gate = (artifacts / "gate.json").read_text()
    gate = gate.replace('"passed": true', '"passed": false').replace('"threshold": 0.9', '"threshold": 0.999')
    (artifacts / "gate.json").write_text(gate)

    with pytest.raises(GateFailed, match=r"accuracy 0\.9333 is below its floor 0\.9990, by 0\.0000; f1_score"):
        run_release(artifacts, models)
    assert copy_contents(models) == files


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gate.json", r"gate\.json: Input data was truncated.*dvc repro --force evaluate"),
        ("candidate/model.onnx", r"gate\.json judges another model"),
    ],
)
def test_release_of_files_that_do_not_belong_together_is_refused(artifacts, tmp_path, name, message):
    (artifacts / name).write_bytes((artifacts / name).read_bytes()[:-10])

    with pytest.raises(BrokenBundle, match=message):
        run_release(artifacts, tmp_path / "models")


def test_release_without_a_file_names_it(artifacts, tmp_path):
    (artifacts / "metrics.json").unlink()

    with pytest.raises(BrokenBundle, match=r"metrics\.json: No such file or directory; run `dvc repro`"):
        run_release(artifacts, tmp_path / "models")
