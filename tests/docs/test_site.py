"""make docs makes a site of the pages, that asks nobody, and refuses what leads nowhere."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name_of

pytestmark = pytest.mark.docs

SPHINX = ROOT / ".venv-docs" / "bin" / "sphinx-build"
SMALL = {
    "docs/README.md": "# Docs\n\n- [one](one.md)\n- [decisions](adr/README.md)\n",
    "docs/one.md": "# One\n\n## A heading\n\n[code](../code/program.py), [folder](../code)\n",
    "docs/adr/README.md": "# Decisions\n\n[a heading](../one.md#a-heading)\n",
    "code/program.py": "",
}


@pytest.fixture(scope="module", autouse=True)
def _needs_sphinx():
    if not SPHINX.exists():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no .venv-docs; run make test-docs")


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a project as make docs does."""
    recipe = subprocess.run(["make", "--dry-run", "docs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    options = re.search(r"sphinx-build (--[\s\S]+?) --conf-dir", recipe.replace("\\\n", ""))[1].split()
    assert {"--fail-on-warning", "--keep-going"} <= set(options)
    command = [SPHINX, *options, "--conf-dir", project / "docs/site", "--doctree-dir", site / ".parsed", project, site]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def small(tmp_path):
    """A project of three pages and a program, with the site's configuration."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "docs/site", project / "docs/site")
    (project / ".venv-docs").symlink_to(ROOT / ".venv-docs")
    for name, text in SMALL.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", project], check=True)
    return project


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of the project itself."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_small_site_is_built_without_a_word(small, tmp_path):
    done = build(small, tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("page", "text", "told"),
    [
        ("docs/one.md", "# One\n\n[gone](two.md)\n", "two.md"),
        ("docs/one.md", "# One\n\n[gone](../code/other.py)\n", "../code/other.py"),
        ("docs/one.md", "# One\n\n[gone](#nowhere)\n", "nowhere"),
        ("docs/adr/README.md", "# Decisions\n\n[gone](../one.md#nowhere)\n", "nowhere"),
        ("docs/two.md", "# Two\n", "two.md: WARNING: document isn't included in any toctree"),
    ],
)
def test_what_leads_nowhere_ends_the_build(small, tmp_path, page, text, told):
    (small / page).write_text(text)
    done = build(small, tmp_path / "site")
    assert done.returncode != 0
    assert told in done.stderr


def test_links_to_code_are_names_where_no_code_host_is_known(small, tmp_path):
    build(small, tmp_path / "site")
    html = (tmp_path / "site/docs/one.html").read_text()
    assert "\ncode, folder\n" in re.sub(r"<[^>]+>", "", html)
    assert not (tmp_path / "site/_downloads").exists()


@pytest.mark.parametrize(
    "remote",
    [
        "https://example.com/owner/name.git",
        "https://user:secret@example.com/owner/name",
        "git@example.com:owner/name.git",
        "ssh://git@example.com/owner/name.git",
    ],
)
def test_links_to_code_lead_to_the_code_host(small, tmp_path, remote):
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=small, check=True)
    done = build(small, tmp_path / "site")
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "site/docs/one.html").read_text()
    assert re.findall(r'href="(https://example[^"]+)"', html) == [
        "https://example.com/owner/name/blob/HEAD/code/program.py",
        "https://example.com/owner/name/blob/HEAD/code",
    ]
    assert "secret" not in html


def test_every_page_is_on_the_site(site):
    missing = [name_of(path) for path in PAGES if not (site / path.relative_to(ROOT)).with_suffix(".html").exists()]
    assert missing == []
    assert 'url=docs/README.html"' in (site / "index.html").read_text()


def test_site_loads_nothing_from_elsewhere(site):
    loaded = {
        address
        for path in site.rglob("*.html")
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", path.read_text(encoding="utf-8"))
        for address in re.findall(r'(?:src|href)="([^"]+)"', tag)
    }
    assert "../_static/mermaid.tiny.js" in {address.partition("?")[0] for address in loaded}
    assert [address for address in loaded if re.match(r"(?:\w+:)?//", address)] == []
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"""(?:@import|url\()\s*["']?(?:https?:)?//""", styles)


@pytest.mark.parametrize(
    "path", [path for path in PAGES if "```mermaid" in path.read_text(encoding="utf-8")], ids=name_of
)
def test_browser_draws_every_diagram(site, path, require_program, tmp_path):
    page = (site / path.relative_to(ROOT)).with_suffix(".html")
    command = [
        *(require_program("chromium"), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"),
        *("--virtual-time-budget=20000", "--dump-dom", page.as_uri()),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    diagrams = path.read_text(encoding="utf-8").count("```mermaid")
    assert len(re.findall(r'<pre class="mermaid"[^>]* data-processed="true"><svg', shown)) == diagrams
    assert "Syntax error" not in shown
