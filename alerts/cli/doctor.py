"""`alerts doctor`: what an operator must mend before real mail goes out."""

from __future__ import annotations

import typer

from alerts.cli.context import config_of
from alerts.cli.output import JsonOption, print_json, say
from alerts.services.doctor import Severity, examine


def doctor(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Say what to mend before real mail goes out; exit 1 while something must be."""
    found = examine(config_of(ctx))
    if json:
        print_json({"findings": [{"severity": it.severity, "key": it.key, "text": it.text} for it in found]})
    else:
        for it in found:
            say(f"{it.severity.value}: {it.key}: {it.text}")
        if not found:
            say("nothing to mend")
    if any(it.severity is Severity.MEND for it in found):
        raise typer.Exit(1)
