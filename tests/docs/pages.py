"""Reading the pages of the documentation, and the shell commands on them."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("champion/*.md"), *ROOT.glob("terraform/*.md")]
)
SHFMT = ROOT / ".venv-docs" / "bin" / "shfmt"


class Command(NamedTuple):
    """One program with its words, as a page shows it."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def table(text: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose first heading is `first_column`."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def in_line(text: str) -> list[str]:
    """What a page shows as code in the line."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)


def commands_in(name: str, shell: str) -> list[Command]:
    """Each program that a piece of shell starts, in pipes, loops and substitutions too, by shfmt's syntax tree."""
    done = subprocess.run([SHFMT, "--to-json"], input=shell, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{name}: {done.stderr}\n{shell}"
    source = shell.encode()
    return [
        Command(name, tuple(plain(source[word["Pos"]["Offset"] : word["End"]["Offset"]].decode()) for word in call))
        for call in calls(json.loads(done.stdout))
    ]


def calls(node: Any) -> Iterator[list[dict[str, Any]]]:
    """The words of each call, and of each declaration, below a node of shfmt's tree."""
    if isinstance(node, list):
        for part in node:
            yield from calls(part)
    elif isinstance(node, dict):
        if node.get("Type") == "CallExpr" and node.get("Args"):
            yield node["Args"]
        for part in node.values():
            yield from calls(part)


def plain(word: str) -> str:
    """A word without its quotes; one with a substitution stays as it is."""
    return word if "$(" in word else "".join(shlex.split(word))


@cache
def shell_of(path: Path) -> tuple[str, ...]:
    """The blocks of shell of a page."""
    return tuple(blocks(path.read_text(encoding="utf-8"), "sh"))


@cache
def commands(programs: frozenset[str]) -> list[Command]:
    """The commands of all pages; in the line those that begin with one of the programs and say more than its name."""
    found = []
    for path in PAGES:
        shown = list(shell_of(path))
        shown += [
            code
            for code in in_line(path.read_text(encoding="utf-8"))
            if code.split()[0] in programs and " " in code and not code.endswith("*") and "..." not in code
        ]
        found += [command for shell in shown for command in commands_in(name_of(path), shell)]
    return found
