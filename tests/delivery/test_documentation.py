"""Every command of docs/delivery.md is one that gcloud or make knows."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.delivery

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
KNOWN = {"curl", "docker", "gcloud", "make"}


def of(program):
    return [command for command in COMMANDS if command.split()[0] == program]


def test_page_has_no_other_commands():
    assert {command.split()[0] for command in COMMANDS} == KNOWN


@pytest.mark.parametrize("command", of("make"))
def test_make_knows_the_command(command):
    words = shlex.split(command)
    subprocess.run([words[0], "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("command", of("gcloud"))
def test_gcloud_reads_the_command(command, require_program):
    lint = [require_program("gcloud"), "meta", "lint-gcloud-commands", f"--command-string={command}"]
    result = subprocess.run(lint, check=True, capture_output=True, text=True)
    verdict = json.loads(result.stdout.splitlines()[0])[0]
    assert verdict["success"], verdict["error_message"]


def test_actions_are_those_of_the_build():
    listed = re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE)
    text = (ROOT / "pipeline/ci/only.sh").read_text(encoding="utf-8")
    assert listed == re.search(r"^    (\w+(?: \| \w+)+)\) ;;", text, re.MULTILINE)[1].split(" | ")
