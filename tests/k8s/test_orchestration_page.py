"""Every command of docs/orchestration.md is one that the tools take."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.k8s.manifests import ROOT, program

pytestmark = pytest.mark.k8s

PAGE = (ROOT / "docs/orchestration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
INLINE = re.findall(r"`((?:make|kubectl|gcloud|python) [^`]+)`", PAGE)
OTHERS = {"cp", "curl", "docker", "eval", "export", "grep", "openssl", "python", "xargs"}
"""Programs whose arguments are left to the shell's own check and to their paths."""


def commands() -> list[list[str]]:
    """Each command of the page as words: lines joined, comments and pipes taken apart."""
    found = []
    for text in [*BLOCKS, *INLINE]:
        text = re.sub(r"\\\n\s*", "", text)
        text = re.sub(r"\w+=\$\((.*)\)", r"\1", text)
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("|") if "|" in words else len(words)
                found.append(words[:end])
                words = words[end + 1 :]
    return [words for words in found if words[0] not in ("for", "done")]


COMMANDS = commands()


@cache
def gcloud_tree():
    """The commands and flags that gcloud knows, from its own completion data."""
    gcloud = Path(program("gcloud", "https://cloud.google.com/sdk/docs/install")).resolve()
    for folder in (gcloud.parents[1], Path("/usr/lib/google-cloud-sdk")):
        if (folder / "data/cli/gcloud_completions.py").exists():
            sys.path.insert(0, str(folder / "data/cli"))
            break
    from gcloud_completions import STATIC_COMPLETION_CLI_TREE

    return STATIC_COMPLETION_CLI_TREE


@cache
def kubectl_flags(command: str) -> set[str]:
    kubectl = program("kubectl", "https://kubernetes.io/docs/tasks/tools/")
    texts = [
        subprocess.run([kubectl, *words], capture_output=True, text=True, timeout=60, check=True).stdout
        for words in ([*command.split(), "--help"], ["options"])
    ]
    return {"-k"} | set(re.findall(r"--[a-z-]+", "".join(texts)))


def flags_of(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}


def of(name: str) -> list[list[str]]:
    return [words for words in COMMANDS if words[0] == name]


def test_page_shows_the_ways_that_it_promises():
    assert len(COMMANDS) > 40
    for needed in ("make k8s-setup-kind", "make k8s-deploy", "make k8s-test", "make k8s-deploy K8S_OVERLAY=gke"):
        assert needed.split() in COMMANDS


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0][:40])
def test_block_is_valid_shell(block):
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_programs_are_known():
    assert {words[0] for words in COMMANDS} == {"make", "kubectl", "gcloud"} | OTHERS


@pytest.mark.parametrize("words", of("make"), ids=" ".join)
def test_make_command_is_a_target(words):
    done = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("words", of("kubectl"), ids=" ".join)
def test_kubectl_command_has_flags_that_it_takes(words):
    plain = [word for word in words[1:] if word != "mlops" and not word.startswith("-")]
    command = " ".join(plain[:2] if plain[0] in ("create", "rollout") else plain[:1])
    assert flags_of(words) <= kubectl_flags(command), command


@pytest.mark.parametrize("words", of("gcloud"), ids=" ".join)
def test_gcloud_command_has_flags_that_it_takes(words):
    node, flags = gcloud_tree(), set(gcloud_tree()["flags"])
    for word in words[1:]:
        if word not in node["commands"]:
            break
        node = node["commands"][word]
        flags |= set(node["flags"])
    assert not node["commands"], f"gcloud {' '.join(words[1:4])} is a group, not a command"
    assert flags_of(words) <= flags


def test_paths_of_the_repository_exist():
    named = set(re.findall(r"\bk8s/[\w./-]*\w", PAGE)) - {"k8s/secret.yaml"}
    named |= {
        f"k8s/{place}" for place in re.findall(r"^\| `((?:base|overlays|components)[\w/]*)/?` \|", PAGE, re.MULTILINE)
    }
    assert len(named) > 8
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_every_component_is_named():
    for component in (ROOT / "k8s/components").iterdir():
        assert f"`components/{component.name}`" in PAGE


def test_scoring_command_runs(trained_project, tmp_path):
    [words] = [words for words in of("python") if "pipeline.score" in words]
    output = tmp_path / "predictions.csv"
    arguments = [str(output) if word == "predictions.csv" else word for word in words[1:]]
    subprocess.run([sys.executable, *arguments], cwd=trained_project, check=True, timeout=120)
    assert len(output.read_text().splitlines()) == 151
