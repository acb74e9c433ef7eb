"""The form on a page, as a browser without JavaScript sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

import html5lib


@dataclass(slots=True)
class Form:
    """Where a form goes, and what it holds now."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)  # every box, ticked or not


def form_of(page: str) -> Form:
    """Read the only form of a page."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    (element,) = tree.findall(".//form[@method='post']")
    form = Form(element.get("action", ""))
    for one in element.iter("input"):
        name, value = one.get("name", ""), one.get("value", "")
        is_box = one.get("type") == "checkbox"
        if is_box:
            form.choices.setdefault(name, []).append(value)
        if not is_box or one.get("checked") is not None:
            form.fields.setdefault(name, []).append(value)
    return form
