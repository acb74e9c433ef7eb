"""What a site's robots.txt says about reading a page (RFC 9309): values in, a verdict out. Fetches nothing.

The longest rule that fits decides, and of two as long the one that allows; ``*`` is anything, ``$`` the end.
The standard library's reader knows neither of the two, and takes the first rule that fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

AGENT = "News-Alert"  # the product token that a site names us by
LARGEST = 512 * 1024  # bytes that are read, as the RFC asks at least; what comes after them says nothing

_MOST_RULES = 10_000
_LONGEST_RULE = 2_000  # characters; a longer one fits no page that we would ask for
_SAFE = "/?&=:@!$'()*+,;~-._%"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line for us."""

    pattern: str  # percent-encoded in one way
    allows: bool


@dataclass(frozen=True, slots=True)
class Robots:
    """What a site asks of us."""

    rules: tuple[Rule, ...] = ()

    def allows(self, url: str) -> bool:
        """Say whether the page at ``url`` may be read."""
        parts = urlsplit(url)
        path = _encoded(parts.path or "/") + (f"?{_encoded(parts.query)}" if parts.query else "")
        fitting = [(len(rule.pattern), rule.allows) for rule in self.rules if _fits(rule.pattern, path)]
        return max(fitting, default=(0, True))[1]


def read_robots(text: str, *, agent: str = AGENT) -> Robots:
    r"""Read the rules for ``agent``: of all groups that name it, or of those for everybody where none does.

    >>> read_robots("User-agent: *\nDisallow: /drafts/").allows("https://a.example/drafts/1")
    False
    """
    mine, everybodys, is_named = list[Rule](), list[Rule](), False
    names, in_rules = set[str](), True
    for line in text.removeprefix("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            names = {value.lower()} if in_rules else names | {value.lower()}
            in_rules = False
            is_named = is_named or value.lower() == agent.lower()
        elif key in {"allow", "disallow"}:
            in_rules = True
            if not value or len(value) > _LONGEST_RULE:
                continue
            rule = Rule(_encoded(value), key == "allow")
            if agent.lower() in names and len(mine) < _MOST_RULES:
                mine.append(rule)
            if "*" in names and len(everybodys) < _MOST_RULES:
                everybodys.append(rule)
    return Robots(tuple(mine if is_named else everybodys))


def _encoded(text: str) -> str:
    """Write what may be percent-encoded in one way only, so that both sides can be compared; reserved ones stay."""
    pieces = text.split("%")
    read = [pieces[0]]
    for piece in pieces[1:]:
        byte = unquote(f"%{piece[:2]}", encoding="latin-1")
        plain = len(byte) == 1 and byte.isascii() and (byte.isalnum() or byte in "-._~")
        read.append(f"{byte}{piece[2:]}" if plain else f"%{piece[:2].upper()}{piece[2:]}")
    return quote("".join(read), safe=_SAFE)


def _fits(pattern: str, path: str) -> bool:
    """Say whether a rule fits a path; in one pass, whatever the pattern is."""
    to_the_end = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    if not others:
        return not to_the_end or place == len(path)
    last = others.pop() if to_the_end else ""
    for piece in others:
        found = path.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return path.endswith(last) and len(path) - len(last) >= place
