"""What there is to use is documented. Settings, routes, metrics and problems: tests/test_docs.py."""

import json
import re
import subprocess

import pytest

from tests.docs.command_lines import options_of, programs_of_ours
from tests.docs.pages import PAGES, ROOT, page, table

ADRS = sorted(ROOT.glob("docs/adr/[0-9]*.md"))
PHASES = re.findall(r"\]\((\w+\.md)\)", page("docs/README.md").split("## Phases")[1].split("\n## ")[0])


def test_commands_page_lists_every_target_as_make_help_does():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    told = {f"| `{name}` | {what} |" for name, what in re.findall(r"^  (\S+) +(.+)$", done.stdout, re.MULTILINE)}
    shown = set(re.findall(r"^\| `[a-z0-9-]+` \| .+ \|$", page("docs/commands.md"), re.MULTILINE))
    assert told - shown == set(), "docs/commands.md lacks these lines"
    assert shown - told == set(), "docs/commands.md has lines that make help has not"


def test_commands_page_lists_every_program_with_its_options():
    shown: dict[str, set[str]] = {}
    for command, option, _ in table(page("docs/commands.md"), "command"):
        shown.setdefault(command.strip("`").removeprefix("python -m "), set()).add(option.strip("`"))
    assert {name: options - {"-"} for name, options in shown.items()} == {
        name: set(options_of(name)) for name in programs_of_ours()
    }


@pytest.mark.parametrize(("kind", "heading"), [("variable", "variable"), ("output", "output")])
def test_terraform_page_lists_every_variable_and_output(kind, heading):
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "terraform").glob("*.tf"))
    listed = {row[0].strip("`") for row in table(page("terraform/README.md"), heading)}
    assert listed == set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE))


def test_runbook_has_every_alert():
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monitoring/rules").glob("*.yml"))
    alerts = set(re.findall(r"- alert: (\w+)", rules))
    alerts |= {policy["name"] for policy in json.loads(page("monitoring/policies.json"))}
    headings = set(re.findall(r"^## (\w+)$", page("docs/runbook.md"), re.MULTILINE))
    assert len(alerts) > 10
    assert alerts - headings == set()


@pytest.mark.parametrize("name", PHASES)
def test_page_of_a_phase_says_what_it_gives_and_how_to_undo_it(name):
    text = page(f"docs/{name}")
    assert text.split("\n\n")[1].startswith("What it gives:")
    assert re.search(r"^## (?:Undo it|Take it away)$", text, re.MULTILINE)
    assert "```sh\n" in text


def test_decisions_have_numbers_of_their_own_and_are_in_the_index():
    titles = {path.name: re.match(r"# (\d+)\. (.+)", path.read_text(encoding="utf-8")).groups() for path in ADRS}
    numbers = [int(number) for number, _ in titles.values()]
    assert numbers == list(range(1, len(ADRS) + 1))
    assert [int(name[:4]) for name in titles] == numbers
    rows = table(page("docs/adr/README.md"), "number")
    assert rows == [[number, f"[{title}]({name})"] for name, (number, title) in titles.items()]


def test_every_page_is_named_by_an_index():
    indexes = [ROOT / "docs/README.md", ROOT / "docs/adr/README.md"]
    named = {
        (index.parent / target).resolve()
        for index in indexes
        for target in re.findall(r"\]\(([^)#:]+\.md)\)", index.read_text(encoding="utf-8"))
    }
    assert set(PAGES) - named - {indexes[0]} == set()


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/images/*.*g")), ids=lambda path: path.name)
def test_picture_is_small_and_shown(picture):
    assert picture.stat().st_size <= 100_000
    assert any(f"](images/{picture.name})" in path.read_text(encoding="utf-8") for path in PAGES)
