"""The troubleshooting page quotes what our programs say, and names what there is."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
OTHERS = ("Docker", "Google", "Terraform", "gcsfs", "systemctl")
"""Whose words are quoted beside ours."""

QUOTES = re.findall(r"^> (.+)$", PAGE, re.MULTILINE)
OURS = [quote for quote in QUOTES if quote.partition(":")[0] not in OTHERS]
CELLS = re.findall(r"^\| `(\.\.\.[^`]+)` \|", PAGE, re.MULTILINE)
"""Reasons in the table of the log's line."""

SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE))
ELSEWHERE = {"Quick checks", "Ten points, in order"}
VARIES = "..."


def texts_of(path: Path) -> list[str]:
    """The texts in a Python module, with `...` in the place of what is put in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else VARIES for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@cache
def said() -> list[str]:
    """All that our programs say: the texts of the Python code, the lines of the scripts."""
    modules = [path for folder in ("functions", "pipeline", "doctor") for path in (ROOT / folder).rglob("*.py")]
    scripts = [ROOT / "Makefile", *(ROOT / "terraform").rglob("*.sh"), *(ROOT / "k8s").rglob("*.sh")]
    lines = [line for path in scripts for line in path.read_text(encoding="utf-8").splitlines()]
    return [text for path in modules for text in texts_of(path)] + lines


def is_said(quote: str) -> bool:
    """Whether one text of ours holds the parts of the quote, in their order."""
    parts = [part.strip() for part in quote.split(VARIES)]
    pattern = re.compile(".*".join(re.escape(part) for part in parts if part), re.DOTALL)
    return any(pattern.search(text) for text in said())


@pytest.mark.parametrize("quote", [*OURS, *CELLS])
def test_message_is_one_of_ours(quote):
    assert is_said(quote)


def test_message_that_nobody_says_is_found():
    assert not is_said("the settings can't be usd:")
    assert not is_said("... is not there, or older than Python 2.7; name another ...")
    assert len(OURS) > 15
    assert len(CELLS) > 5


def test_lines_of_the_log_that_the_page_names_are_logged():
    for line in ("no model is served", "keys can't be used", "the model is not replaced"):
        assert f"`{line}`" in PAGE or f"> {line}" in PAGE
        assert line in said()


def anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_table_of_symptoms_leads_to_every_section():
    first, _, _ = PAGE.partition("## Quick checks")
    linked = set(re.findall(r"\]\(#([^)]+)\)", first))
    assert linked == {anchor(heading) for heading in SECTIONS}


def test_links_within_the_pages_lead_to_a_heading():
    for target, fragment in re.findall(r"\]\(([\w.-]*)#([^)]+)\)", PAGE):
        text = (ROOT / "docs" / target).read_text(encoding="utf-8") if target else PAGE
        assert fragment in {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("heading", sorted(set(SECTIONS) - ELSEWHERE))
def test_section_has_a_check_and_a_fix(heading):
    section = SECTIONS[heading]
    assert "**Check:**" in section
    assert "**Fix:**" in section


@pytest.mark.parametrize("address", sorted(set(re.findall(r"-target='?([^'\s]+)", PAGE))))
def test_target_of_terraform_is_declared(address):
    module, *resource = address.removeprefix("module.").split("[")[0].split(".")
    root = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "terraform").glob("*.tf"))
    (source,) = re.findall(rf'^module "{module}" {{\n  source = "(.+)"', root, re.MULTILINE)
    files = (ROOT / "terraform" / source).glob("*.tf")
    declared = "\n".join(path.read_text(encoding="utf-8") for path in files)
    if resource:
        kind, name = resource
        assert f'resource "{kind}" "{name}"' in declared
    key = re.search(r'\["(.+)"\]', address)
    assert key is None or key[1].split("/")[-1] in declared + root


def test_checklist_has_ten_points():
    assert re.findall(r"^(\d+)\. ", SECTIONS["Ten points, in order"], re.MULTILINE) == [str(n) for n in range(1, 11)]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("mlops-api.service", "terraform/modules/fallback-vm/cloud-init/units"),
        ("service.env", "terraform/modules/fallback-vm/cloud-init/main.tf"),
        ("/var/log/startup.log", "terraform/modules/fallback-vm/cloud-init/scripts/prepare.sh"),
        ("waf_preview", "terraform/variables-edge.tf"),
        ("mlops-vm-sa", "terraform/modules/identity/service-accounts.tf"),
        ("mlops-network", "terraform/variables.tf"),
        ("300 seconds", "terraform/modules/edge/armor.tf"),
    ],
)
def test_name_is_that_of_the_infrastructure(name, where):
    assert name in PAGE
    path = ROOT / where
    assert (path / name).exists() if path.is_dir() else name.split()[0] in path.read_text(encoding="utf-8")
