"""The site of the documentation: the Markdown pages of the repository, as they are (make docs).

The pages are written for the code host, with plain relative links. Code and folders that they link to, the site links
to at the code host, or only names where no code host is known. A link that leads nowhere, an anchor that no heading
has, and a page that no index names are warnings, on which make docs fails.
"""

import html
import re
import subprocess
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
INDEXES = ("docs/README", "docs/adr/README")
"""Pages whose links to other pages are the site's navigation, under their headings."""

project = "mlops-core"
root_doc = "docs/README"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md", "docs/adr/*.md", "terraform/README.md", "champion/README.md"]
exclude_patterns = [".*", "build"]

myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_title = project
html_static_path = ["../../.venv-docs/node_modules/@mermaid-js/tiny/dist", "static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "to-the-first-page.html"}
templates_path = ["templates"]
html_copy_source = False
html_use_index = False
html_show_sphinx = False


class Mermaid(Directive):
    """A diagram, drawn in the reader's browser by a copy of Mermaid on the site itself."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The diagram's source, where Mermaid looks for it."""
        source = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">\n{source}\n</pre>', format="html")]


class LinkCode(SphinxTransform):
    """Turns links to files and folders that are no pages into links to the code host."""

    default_priority = 1

    def apply(self) -> None:
        """Replace what MyST made of them: downloads of files, and references to folders."""
        page = ROOT / self.env.doc2path(self.env.docname)
        for found in (addnodes.download_reference, addnodes.pending_xref):
            for node in list(self.document.findall(found)):
                self.replace(node, page.parent)

    def replace(self, node: nodes.Element, folder: Path) -> None:
        """Replace one node, if its target is there and no page."""
        target = (folder / node["reftarget"]).resolve()
        if node.get("refdomain") or not target.exists() or not target.is_relative_to(ROOT):
            return
        if (target / "README.md").exists():
            index = target.relative_to(ROOT) / "README"
            node["refdomain"], node["reftarget"], node["reftargetid"] = "doc", str(index), None
            return
        url = self.config.code_host
        children = [child.deepcopy() for child in node.children]
        path = target.relative_to(ROOT)
        node.replace_self(nodes.reference("", "", *children, refuri=f"{url}/{path}") if url else children)


def address_of_files() -> str:
    """Address of the newest files at the code host that this clone came from; empty when it came from none."""
    command = ["git", "remote", "get-url", "origin"]
    remote = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    place = re.fullmatch(r"(?:https://(?:[^/@]*@)?|(?:ssh://)?git@)([\w.-]+)[:/](.+?)(?:\.git)?", remote)
    return f"https://{place[1]}/{place[2]}/blob/HEAD" if place else ""


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Give an index a table of contents of the pages that it links to, each where it is named last."""
    if page not in INDEXES:
        return
    folder = (ROOT / page).parent
    named = {page}
    contents = []
    for heading, section in reversed(re.findall(r"^#+ (.+)\n((?:(?!#).*\n)*)", source[0], re.MULTILINE)):
        targets = [folder / target for target in re.findall(r"\]\(([^)#:]+\.md)\)", section)]
        entries = [str(target.resolve().relative_to(ROOT).with_suffix("")) for target in targets]
        entries = [entry for entry in dict.fromkeys(entries) if entry in app.project.docnames - named]
        named.update(entries)
        if entries:
            listed = "\n".join(f"/{entry}" for entry in entries)
            contents.append(f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{listed}\n```\n")
    source[0] += "".join(reversed(contents))


def setup(app: Sphinx) -> None:
    """Register the parts above."""
    app.add_config_value("code_host", address_of_files(), "env", str)
    app.add_directive("mermaid", Mermaid)
    app.add_transform(LinkCode)
    app.connect("source-read", add_navigation)
    app.add_js_file("mermaid.tiny.js", loading_method="defer")
    app.add_js_file("diagrams.js", loading_method="defer")
