"""Structures whose field names come from a model."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

_UNUSUAL_NAME = re.compile(r'["\\\x00-\x1f]').search


def record_type(title: str, names: Sequence[str], types: Sequence[Any], **options: Any) -> Any:
    """A msgspec structure with fields called `names`, or None where msgspec can't call a field so.

    The attributes are numbered: a name may hold any character. The garbage collector does not look
    at such structures, as numbers make no cycles.
    """
    if any(map(_UNUSUAL_NAME, names)):
        return None
    attributes = [f"f{index}" for index in range(len(names))]
    return msgspec.defstruct(
        title,
        list(zip(attributes, types, strict=True)),
        rename=dict(zip(attributes, names, strict=True)),
        gc=False,
        **options,
    )
