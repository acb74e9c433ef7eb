"""The manual of the templates names what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from mails import LINKS, SITE, XIAOMI, article

from alerts.core.messages import address_changed_contents, address_confirmation_contents, manage_link_contents
from alerts.core.messages.contents import (
    alert_contents,
    confirmation_contents,
    digest_contents,
    trial_contents,
    welcome_contents,
)

MANUAL = (Path(__file__).parents[2] / "docs" / "mail-templates.md").read_text(encoding="utf-8")


def names(contents: dict[str, object]) -> set[str]:
    flat = set()
    for name, value in contents.items():
        flat |= {f"{name}.{key}" for key in cast("dict[str, Any]", value)} if isinstance(value, dict) else {name}
    return flat


def test_the_manual_lists_every_name_that_a_template_sees_and_no_other() -> None:
    seen = (
        names(alert_contents(SITE, article(), [XIAOMI], LINKS, language="en"))
        | names(confirmation_contents(SITE, [XIAOMI], "https://news.example/confirm/x", language="en"))
        | names(welcome_contents(SITE, [XIAOMI], [article()], LINKS, language="en"))
        | names(digest_contents(SITE, [(article(), [XIAOMI])], 1, [XIAOMI], LINKS, language="en"))
        | names(manage_link_contents(SITE, "M" * 44, language="en"))
        | names(address_confirmation_contents(SITE, "https://news.example/confirm/x", language="en"))
        | names(address_changed_contents(SITE, "bob@example.com", language="en"))
        | names(trial_contents(SITE, language="en"))
    )
    table = MANUAL.split("| name |")[1].split("| filter |")[0]

    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {name for cell in cells for name in re.findall(r"`([a-z_.]+)`", cell)}

    assert listed == seen
