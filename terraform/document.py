"""Writes the tables of variables and outputs in terraform/README.md from the .tf files.

`python terraform/document.py` writes them; a test holds them current.
"""

import re
from pathlib import Path
from typing import Any

import hcl2

FOLDER = Path(__file__).resolve().parent
README = FOLDER / "README.md"
PLAIN = hcl2.SerializationOptions(strip_string_quotes=True, explicit_blocks=False, with_comments=False)


def blocks(kind: str, folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The root module's `variable` or `output` blocks, by name in alphabetical order."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.tf")):
        with path.open(encoding="utf-8") as file:
            for block in hcl2.load(file, serialization_options=PLAIN).get(kind, []):
                found.update(block)
    return dict(sorted(found.items()))


def variables_table() -> str:
    """Name, type, default and meaning of each variable; one without a default has to be given."""
    rows = [
        [f"`{name}`", f"`{_type(block['type'])}`", _default(block), _cell(block["description"])]
        for name, block in blocks("variable").items()
    ]
    return _table(["variable", "type", "default", "meaning"], rows)


def outputs_table() -> str:
    """Name and meaning of each output."""
    rows = [[f"`{name}`", _cell(block["description"])] for name, block in blocks("output").items()]
    return _table(["output", "meaning"], rows)


def documented(text: str) -> str:
    """`text` with the tables between its markers as the .tf files say."""
    for name, table in (("variables", variables_table()), ("outputs", outputs_table())):
        between = re.compile(rf"(<!-- {name}: make terraform-docs -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = between.subn(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"{README.name}: needs one place for the table of {name}, has {count}")
    return text


def _type(text: str) -> str:
    kind = text.removeprefix("${").removesuffix("}")
    return "object" if kind.startswith("object(") else kind


def _default(block: dict[str, Any]) -> str:
    if "default" not in block:
        return "required"
    default = block["default"]
    if default is None or default == "" or default == {} or default == []:
        return "-"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    README.write_text(documented(README.read_text(encoding="utf-8")), encoding="utf-8")
