import json
import shutil

import msgspec
import pytest

from functions.bundle.files import encode
from functions.bundle.pointer import Pointer
from functions.bundle.storage import Location, StorageError, read_object
from pipeline import fetch, promote
from pipeline.champion import move_pointer, read_pointer
from pipeline.errors import BrokenBundle, PromotionError
from pipeline.install import copy_contents, install, load_bundle

# MLflow's own code uses what its dependencies deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def models(reproduced, tmp_path):
    """Two released bundles, of versions one and two."""
    bundle = load_bundle(reproduced.folder / "models")
    for version in ("one", "two"):
        files = copy_contents(reproduced.folder / "models")
        files["metadata.json"] = encode(msgspec.structs.replace(bundle.metadata, version=version))
        install(files, tmp_path / version)
    return tmp_path


def champion_of(folder):
    return load_bundle(folder).metadata.version


def test_promotion_to_a_folder_is_taken_back_and_again(models):
    champion = models / "champion"
    with pytest.raises(PromotionError, match="nothing to go back to"):
        promote.roll_back(champion)

    promote.promote(models / "one", champion)
    promote.promote(models / "two", champion)
    promote.promote(models / "two", champion)
    assert champion_of(champion) == "two"
    promote.roll_back(champion)
    assert champion_of(champion) == "one"
    promote.roll_back(champion)
    assert champion_of(champion) == "two"


def test_promotion_of_a_damaged_bundle_is_refused(models):
    (models / "one/model.onnx").write_bytes(b"")

    with pytest.raises(BrokenBundle, match=r"model\.onnx"):
        promote.promote(models / "one", models / "champion")
    assert not (models / "champion").exists()


def test_promotion_to_a_bucket_uploads_and_moves_the_pointer(models, bucket):
    location = Location(bucket)
    promote.promote_to_bucket(models / "one", location)
    promote.promote_to_bucket(models / "two", location)

    files = copy_contents(models / "two")
    assert {name: read_object(f"{bucket}/two/{name}") for name in files} == files
    pointer = json.loads(read_object(f"{bucket}/champion.json"))
    assert pointer == {
        "version": "two",
        "path": "two",
        "digest": load_bundle(models / "two").metadata.model_sha256,
        "previous": "one",
    }


def test_rollback_of_a_bucket_points_to_the_version_before(models, bucket):
    location = Location(bucket)
    with pytest.raises(PromotionError, match="names no version before"):
        promote.roll_back_pointer(location)
    promote.promote_to_bucket(models / "one", location)
    promote.promote_to_bucket(models / "two", location)

    assert promote.roll_back_pointer(location).metadata.version == "one"
    pointer, _ = read_pointer(location)
    assert (pointer.version, pointer.previous) == ("one", "two")


def test_promotion_of_the_same_bundle_again_changes_nothing(models, bucket):
    location = Location(bucket)
    promote.promote_to_bucket(models / "one", location)
    before = location.read("champion.json")
    promote.promote_to_bucket(models / "one", location)

    assert location.read("champion.json") == before


def test_promotion_never_overwrites_a_version(models, bucket):
    location = Location(bucket)
    promote.promote_to_bucket(models / "one", location)
    (models / "one/metrics.json").write_bytes((models / "one/metrics.json").read_bytes() + b"\n")

    with pytest.raises(PromotionError, match=r"one/metrics\.json is there with other content.*train again"):
        promote.promote_to_bucket(models / "one", location)


def test_promotion_that_another_one_overtook_is_refused(models, bucket):
    location = Location(bucket)
    promote.promote_to_bucket(models / "one", location)
    pointer, generation = read_pointer(location)
    promote.promote_to_bucket(models / "two", location)

    with pytest.raises(PromotionError, match="was moved by somebody else meanwhile"):
        move_pointer(location, pointer, generation)
    assert read_pointer(location)[0].version == "two"


def test_champion_is_fetched_beside_the_folder_s_own_files(models, bucket):
    into = models / "champion"
    into.mkdir()
    (into / "README.md").touch()
    assert fetch.fetch(Location(bucket), into) is None
    note = models / "champion.txt"
    assert "has no champion yet" in fetch.main([bucket, "--into", str(into), "--note", str(note)])
    assert note.read_text(encoding="utf-8") == ""
    with pytest.raises(PromotionError, match="no champion yet; submit ACTION=all first"):
        fetch.main([bucket, "--into", str(into), "--required"])

    promote.promote_to_bucket(models / "one", Location(bucket))
    said = fetch.main([bucket, "--into", str(into), "--required", "--note", str(note)])
    assert "champion one of gs://bucket/models" in said
    assert note.read_text(encoding="utf-8") == "one"
    assert copy_contents(into) == copy_contents(models / "one")
    assert (into / "README.md").exists()


def test_champion_that_is_damaged_in_the_bucket_is_not_fetched(models, bucket):
    location = Location(bucket)
    promote.promote_to_bucket(models / "one", location)
    pointer, generation = read_pointer(location)
    move_pointer(location, msgspec.structs.replace(pointer, digest="0" * 64), generation)
    with pytest.raises(PromotionError, match=r"model\.onnx is not the model that champion\.json names"):
        fetch.fetch(location, models / "champion")

    _, generation = read_pointer(location)
    move_pointer(location, Pointer(version="none", path="none", digest="0" * 64), generation)
    with pytest.raises(PromotionError, match=r"none/model\.onnx: no such object"):
        fetch.fetch(location, models / "champion")
    _, generation = read_pointer(location)
    location.write("champion.json", b'{"version": "../x"}', generation)
    with pytest.raises(PromotionError, match="is no pointer to a bundle"):
        fetch.fetch(location, models / "champion")
    assert not (models / "champion").exists()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("gs://", "is no gs://BUCKET/PATH"),
        ("gs://bucket/none.csv", "no such object"),
        ("x", "is no gs"),
    ],
)
def test_object_that_is_not_there_is_named(bucket, uri, message):
    with pytest.raises(StorageError, match=message):
        read_object(uri)


def test_bucket_that_does_not_exist_is_named(models, bucket):
    with pytest.raises(StorageError, match=r"gs://nowhere/models/one/.*can't be written.*their roles on the bucket"):
        promote.promote_to_bucket(models / "one", Location("gs://nowhere/models"))


def test_promote_command_moves_the_alias_where_the_store_is(models, reproduced, monkeypatch):
    monkeypatch.chdir(models)
    said = promote.main(["--from", "one", "--to", "champion"])
    assert said.startswith("champion: champion is version one\nMLflow's alias stays as it was: there is no mlflow.db")

    shutil.copy(reproduced.folder / "mlflow.db", models / "copy.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{models}/copy.db")
    assert promote.main(["--from", "two"]).endswith("MLflow: IrisClassifier@champion is version 1")
    assert promote.main(["--rollback"]).startswith("champion: champion is version one")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert "MLflow's alias stays as it was: MLflow can't use http://127.0.0.1:9" in promote.main(["--rollback"])


def test_promote_command_reaches_a_bucket(models, bucket, monkeypatch):
    monkeypatch.chdir(models)

    assert promote.main(["--from", "one", "--to", bucket]).startswith("gs://bucket/models: champion is version one")
    promote.main(["--from", "two", "--to", bucket])
    assert promote.main(["--rollback", "--to", bucket]).startswith("gs://bucket/models: champion is version one")
