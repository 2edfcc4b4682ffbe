"""The champion in a bucket: versions that are never overwritten, and the pointer that names one.

gs://BUCKET/models/<version>/{model.onnx,metadata.json,metrics.json}
gs://BUCKET/models/champion.json
"""

from functions.bundle.files import BUNDLE_FILES, METADATA_FILE, MODEL_FILE, digest, encode
from functions.bundle.pointer import POINTER, InvalidPointer, Pointer, parse_pointer
from functions.bundle.storage import Conflict, Location
from pipeline.errors import PromotionError


def read_pointer(bucket: Location) -> tuple[Pointer | None, int]:
    """The pointer and its generation, None and 0 where there is none yet.

    Raises:
        PromotionError: the object is no pointer.
        StorageError: the bucket is out of reach.
    """
    found = bucket.read(POINTER)
    if found is None:
        return None, 0
    try:
        return parse_pointer(found[0]), found[1]
    except InvalidPointer as error:
        raise PromotionError(f"{bucket.uri}/{POINTER} {error}; correct or delete it") from error


def move_pointer(bucket: Location, pointer: Pointer, generation: int) -> None:
    """Write the pointer, if it is still the one of that generation.

    Raises:
        PromotionError: somebody else moved it meanwhile.
    """
    try:
        bucket.write(POINTER, encode(pointer), generation)
    except Conflict as error:
        raise PromotionError(
            f"{bucket.uri}/{POINTER} was moved by somebody else meanwhile and was left as they set it; "
            "look at what serves now, then promote again"
        ) from error


def upload(bucket: Location, version: str, files: dict[str, bytes]) -> None:
    """Upload a bundle once. Finding the same content there is fine: an earlier attempt was cut off.

    Raises:
        PromotionError: the version is there with other content.
    """
    # Metadata goes last: who finds it, finds the rest.
    for name in sorted(files, key=lambda name: name == METADATA_FILE):
        place = f"{version}/{name}"
        try:
            bucket.write(place, files[name], generation=0)
        except Conflict as error:
            found = bucket.read(place)
            if found is None or found[0] != files[name]:
                raise PromotionError(
                    f"{bucket.uri}/{place} is there with other content, and versions are never overwritten; "
                    "train again, which gives a new version"
                ) from error


def download(bucket: Location, path: str, expected: str | None = None) -> dict[str, bytes]:
    """The files of a bundle in the bucket.

    Raises:
        PromotionError: a file is missing, or model.onnx has not the digest `expected`.
    """
    files: dict[str, bytes] = {}
    for name in BUNDLE_FILES:
        found = bucket.read(f"{path}/{name}")
        if found is None:
            raise PromotionError(f"{bucket.uri}/{path}/{name}: no such object; promote another version")
        files[name] = found[0]
    if expected is not None and digest(files[MODEL_FILE]) != expected:
        raise PromotionError(f"{bucket.uri}/{path}/{MODEL_FILE} is not the model that {POINTER} names; promote again")
    return files
