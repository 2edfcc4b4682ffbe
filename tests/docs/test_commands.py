"""Every command of the pages is one that its program takes.

Nothing is started: each program's own parser, help or completion data says which subcommands and options there are.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.docs.command_lines import options_of, programs_of_ours
from tests.docs.pages import PAGES, ROOT, SHFMT, Command, commands, commands_in, name_of, shell_of

pytestmark = pytest.mark.docs

UNIX = {
    *("cat", "cd", "chmod", "cp", "eval", "export", "grep", "mkdir", "printf", "sed", "source", "xargs"),
    *("journalctl", "ss", "systemctl"),
}
"""The shell's own words and the system's programs: bash reads them, and nobody's version takes an option away."""


@pytest.fixture(scope="module", autouse=True)
def _needs_shfmt():
    if not SHFMT.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no .venv-docs; run make test-docs")


def help_of(*words: str) -> str:
    """What a program says of a command; empty when it knows none of that name."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PAGER": "cat"}
    )
    return done.stdout + done.stderr


def flags(words: tuple[str, ...]) -> set[str]:
    return {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}


def without_flags(words: tuple[str, ...]) -> list[str]:
    return [word for word in words if not word.startswith("-")]


def unknown(given: set[str], text: str) -> str:
    known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", text))
    return ", ".join(sorted(given - known))


@cache
def make_fault(words: tuple[str, ...]) -> str:
    done = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stderr if done.returncode else ""


@cache
def gcloud_tree():
    """The commands and flags that gcloud knows, from its own completion data."""
    folder = Path(shutil.which("gcloud")).resolve()
    for root in (folder.parents[1], Path("/usr/lib/google-cloud-sdk")):
        if (root / "data/cli/gcloud_completions.py").exists():
            sys.path.insert(0, str(root / "data/cli"))
            break
    from gcloud_completions import STATIC_COMPLETION_CLI_TREE

    return STATIC_COMPLETION_CLI_TREE


def gcloud_fault(words: tuple[str, ...]) -> str:
    node, known = gcloud_tree(), set(gcloud_tree()["flags"])
    for word in words[1:]:
        if word not in node["commands"]:
            break
        node = node["commands"][word]
        known |= set(node["flags"])
    if node["commands"]:
        return "is a group, not a command"
    if "--recursive" in known:
        known.add("-r")  # the data leave short names out
    return ", ".join(sorted(flags(words) - known))


@cache
def kubectl_help(command: tuple[str, ...]) -> str:
    return help_of("kubectl", *command, "--help") + help_of("kubectl", "options") + " -n -k "


def kubectl_fault(words: tuple[str, ...]) -> str:
    if "--" in words:
        words = words[: words.index("--")]  # the rest is what is run in the pod
    command = [word for word in without_flags(words[1:]) if word != "mlops"]
    text = kubectl_help(tuple(command[: 2 if command[0] in ("create", "rollout", "config") else 1]))
    return unknown(flags(words), text) if "Usage:" in text.split("kubectl options")[0] else "is no command"


@cache
def terraform_help(command: tuple[str, ...]) -> str:
    return help_of("terraform", *command, "-help")


def terraform_fault(words: tuple[str, ...]) -> str:
    command = without_flags(words[1:])
    text = terraform_help(tuple(command[: 2 if command[0] == "state" else 1]))
    if command[0] == "apply":
        text += terraform_help(("plan",))  # whose options it takes too
    if "Usage: terraform [global options] " + command[0] not in text:
        return "is no command"
    return unknown(flags(words) - {"-chdir"}, text)


@cache
def docker_help(command: tuple[str, ...]) -> str:
    return help_of("docker", *command, "--help")


def docker_fault(words: tuple[str, ...]) -> str:
    if words[1] == "exec":
        words = words[:3]  # the rest is what is run in the container
    command = tuple(without_flags(words[1:])[: 2 if words[1] in ("compose", "buildx") else 1])
    text = docker_help(command)
    if not re.search(rf"^Usage:.* {command[-1]}\b", text, re.MULTILINE):
        return "is no command"
    return unknown(flags(words), text)


def dvc_fault(words: tuple[str, ...]) -> str:
    from dvc.cli import DvcParserError
    from dvc.cli.parser import get_main_parser

    try:
        get_main_parser().parse_args(list(words[1:]))
    except DvcParserError as error:
        return str(error) or "is no command"
    return ""


def click_fault(command, words: tuple[str, ...]) -> str:
    """What a command made with click does not know among the words."""
    rest = list(words[1:])
    known = {"--help"}
    while True:
        known |= {option for parameter in command.params for option in parameter.opts}
        commands = getattr(command, "commands", None)
        if commands is None:
            return ", ".join(sorted(flags(words) - known))
        if not rest or rest[0] not in commands:
            return "is no command"
        command = commands[rest.pop(0)]


def mlflow_fault(words: tuple[str, ...]) -> str:
    command = words[1 : 3 if words[1] == "experiments" else 2]
    text = help_of("mlflow", *command, "--help")
    return unknown(flags(words), text) if f"Usage: mlflow {' '.join(command)} " in text else "is no command"


def flask_fault(words: tuple[str, ...]) -> str:
    from flask.cli import cli

    return click_fault(cli, words)


def functions_framework_fault(words: tuple[str, ...]) -> str:
    from functions_framework._cli import _cli

    return click_fault(_cli, words)


def python_fault(words: tuple[str, ...]) -> str:
    """`python -m` with a module of ours, and options that it takes."""
    if words[1] != "-m" or words[2] not in programs_of_ours():
        return "is no program of ours"
    return ", ".join(sorted(flags(words[3:]) - options_of(words[2])))


def git_fault(words: tuple[str, ...]) -> str:
    text = help_of("git", words[1], "-h")
    return unknown(flags(words), text) if "usage: git" in text else "is no command"


def curl_fault(words: tuple[str, ...]) -> str:
    return unknown(flags(words), help_of("curl", "--help", "all"))


def openssl_fault(words: tuple[str, ...]) -> str:
    text = help_of("openssl", words[1], "-help")
    return unknown(flags(words), text) if "Usage" in text else "is no command"


def apt_get_fault(words: tuple[str, ...]) -> str:
    return "" if words[1] == "install" and not flags(words) else "is no plain installation"


CHECKS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "apt-get": apt_get_fault,
    "curl": curl_fault,
    "docker": docker_fault,
    "dvc": dvc_fault,
    "flask": flask_fault,
    "functions-framework": functions_framework_fault,
    "gcloud": gcloud_fault,
    "git": git_fault,
    "kubectl": kubectl_fault,
    "make": make_fault,
    "mlflow": mlflow_fault,
    "openssl": openssl_fault,
    "python": python_fault,
    "terraform": terraform_fault,
}
"""For each program, what is wrong with a command of it; empty: nothing."""


def shown() -> list[Command]:
    return commands(frozenset(CHECKS))


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_blocks_of_a_page_are_valid_shell(path):
    for block in shell_of(path):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr + block


def test_every_program_of_the_pages_is_checked():
    assert {command.words[0] for command in shown()} - set(CHECKS) - UNIX == set()


@pytest.mark.parametrize("name", CHECKS)
def test_commands_are_taken_by_their_program(name, require_program):
    if name != "apt-get":
        require_program(name)
    mine = [command for command in shown() if command.words[0] == name]
    assert mine, f"no page shows a command of {name}"
    faults = {str(command): fault for command in mine if (fault := CHECKS[name](command.words))}
    assert faults == {}


@pytest.mark.parametrize(
    "wrong",
    [
        "make no-such-target",
        "gcloud run services updat iris-api",
        "gcloud run services describe iris-api --regoin=europe-west1",
        "gcloud compute addresses",
        "kubectl gett pods",
        "kubectl get pods --watsh",
        "terraform aply",
        "terraform apply -autoapprove",
        "docker runn iris-api",
        "docker compose upp",
        "docker run --read-onyl iris-api",
        "dvc repo",
        "dvc exp run --sett train.max_depth=10",
        "mlflow uii",
        "mlflow ui --prot 5000",
        "flask runn",
        "functions-framework --traget predict",
        "python -m pipeline.promot",
        "python -m pipeline.promote --rolback",
        "git chekout params.yaml",
        "curl --sielnt localhost",
        "openssl rnad -hex 32",
        "apt-get instal wrk",
    ],
)
def test_wrong_command_is_found(wrong, require_program):
    [command] = commands_in("a page", wrong)
    if command.words[0] != "apt-get":
        require_program(command.words[0])
    assert CHECKS[command.words[0]](command.words)
