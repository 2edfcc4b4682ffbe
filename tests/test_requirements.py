"""The lock files are in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = {
    "installer": ["installer"],
    "serving": ["project"],
    "functions": ["project", "functions"],
    "pipeline": ["project", "pipeline"],
    "development": ["project", "development"],
    "scanners": ["scanners"],
    "docs": ["docs"],
}
DIRECT = re.compile(r"mlops-core \(pyproject\.toml\)|mlops-core:|pyproject\.toml:")


def declared(group: str) -> list[Requirement]:
    if group == "project":
        return [Requirement(text) for text in PYPROJECT["project"]["dependencies"]]
    found: list[Requirement] = []
    for entry in PYPROJECT["dependency-groups"][group]:
        found += declared(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return found


def locked(name: str) -> dict[str, list[tuple[Requirement, str]]]:
    """Each pinned package with its lines in the lock file."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pins: dict[str, list[tuple[Requirement, str]]] = {}
    for entry in re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.MULTILINE):
        if entry.strip():
            requirement = Requirement(entry.splitlines()[0].rstrip(" \\"))
            pins.setdefault(canonicalize_name(requirement.name), []).append((requirement, entry))
    return pins


def version_of(pin: Requirement) -> str:
    return next(iter(pin.specifier)).version


@pytest.mark.parametrize("name", GROUPS)
def test_lock_file_satisfies_what_is_declared(name):
    pins = locked(name)
    for group in GROUPS[name]:
        for requirement in declared(group):
            found = pins.get(canonicalize_name(requirement.name))
            assert found, f"requirements/{name}.txt has no {requirement}: run make lock"
            for pin, _ in found:
                assert version_of(pin) in requirement.specifier, f"{pin} is not {requirement}: run make lock"


@pytest.mark.parametrize("name", GROUPS)
def test_lock_file_holds_nothing_that_is_no_longer_declared(name):
    names = {canonicalize_name(requirement.name) for group in GROUPS[name] for requirement in declared(group)}
    direct = {package for package, pins in locked(name).items() if any(DIRECT.search(entry) for _, entry in pins)}
    assert direct == names


@pytest.mark.parametrize("name", GROUPS)
def test_every_pin_is_exact_and_hashed(name):
    for pins in locked(name).values():
        for pin, entry in pins:
            assert [specifier.operator for specifier in pin.specifier] == ["=="]
            assert "--hash=sha256:" in entry


def test_lock_files_agree_on_versions():
    development = {name: {version_of(pin) for pin, _ in pins} for name, pins in locked("development").items()}
    for name in GROUPS.keys() - {"scanners", "docs"}:  # installed by themselves
        for package, pins in locked(name).items():
            assert {version_of(pin) for pin, _ in pins} <= development[package], f"{name}: {package}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements/*")), ids=lambda path: path.name)
def test_lock_file_records_no_address(path):
    assert not re.search(r"^\s*(--(extra-)?index-url|--find-links)|https?://", path.read_text(encoding="utf-8"), re.M)
