"""The body of a mail: two texts, each encoded so that any SMTP server passes it on unharmed, and the multipart around.

A token in a link is *sealed* between two noncharacters while templates run. No article can bring these along (cleaning
drops them), so the encoder knows a token for sure and never lets a soft line break fall into it: that is what makes a
mail spliceable (``splice``). Sealed or not, the encoder writes the token alone.
"""

from __future__ import annotations

import re
from hashlib import sha256

OPEN, CLOSE = "\ufdd0", "\ufdd1"
_WIDTH = 75  # characters of a quoted-printable line; the 76th is the soft break
_SEAL = re.compile(f"{OPEN}([A-Za-z0-9_-]*){CLOSE}")
_PIECE = re.compile(rf"{OPEN}(?P<token>[A-Za-z0-9_-]*){CLOSE}|(?P<plain>[\t -<>-~]+)|(?P<other>.)", re.DOTALL)
_MANGLED_AT_LINE_START = re.compile(r"\A(?:\.|From )")
_MANGLED = re.compile(r"^(?:\.|From )", re.MULTILINE)
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def seal(token: str) -> str:
    """Mark a token of URL-safe characters as one that no line break may split."""
    return f"{OPEN}{token}{CLOSE}"


def tidy(text: str) -> str:
    """End lines in LF alone, without blanks before it, and the whole with one; drop other controls."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_UNFIT.sub("", line).rstrip() for line in lines).strip("\n") + "\n"


def alternative(text: str, html: str) -> bytes:
    """Return the last header lines and the body of a multipart/alternative: text first, HTML second (E18)."""
    boundary = _boundary(text, html)
    delimiter = f"--{boundary}".encode("ascii")
    return b"\r\n".join(
        (
            b"MIME-Version: 1.0",
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"'.encode("ascii"),
            b"",
            delimiter,
            _part("plain", text),
            delimiter,
            _part("html", html),
            delimiter + b"--",
            b"",
        )
    )


def _boundary(text: str, html: str) -> str:
    r"""Make a boundary from the parts, tokens left out; ``=_`` stands in no quoted-printable and in no 7bit of ours."""
    flat = "\0".join(_SEAL.sub(OPEN, part) for part in (text, html))
    return "=_" + sha256(flat.encode("utf-8")).hexdigest()[:32]


def _part(subtype: str, text: str) -> bytes:
    encoding, body = (
        ("7bit", _seven_bit(text)) if _fits_seven_bit(text) else ("quoted-printable", quoted_printable(text))
    )
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode("ascii") + body


def _fits_seven_bit(text: str) -> bool:
    """Return whether text can go as it is; a token counts by its length alone, so that any token decides the same."""
    flat = _SEAL.sub(lambda seal: "x" * len(seal[1]), text)
    short = all(len(line) <= _WIDTH for line in flat.split("\n"))
    return short and flat.isascii() and "=_" not in flat and not _MANGLED.search(flat)


def _seven_bit(text: str) -> bytes:
    return _SEAL.sub(r"\1", text).replace("\n", "\r\n").encode("ascii")


def quoted_printable(text: str) -> bytes:
    """Encode ``text`` (lines end in LF) so that no line passes 76 columns or begins with "." or "From " (E1, E23)."""
    return "\r\n".join(_encoded_line(line) for line in text.split("\n")).encode("ascii")


def _encoded_line(line: str) -> str:
    """Encode one line: runs of plain characters are cut anywhere; a token and a character's octets stay together."""
    lines = [""]
    for piece in _PIECE.finditer(line):
        if piece["plain"]:
            _add_run(lines, piece["plain"])
            continue
        whole = piece["token"] or "".join(f"={octet:02X}" for octet in (piece["other"] or "").encode("utf-8"))
        if len(lines[-1]) + len(whole) > _WIDTH:
            lines.append("")
        lines[-1] += whole
    if lines[-1].endswith((" ", "\t")):
        lines[-1] = f"{lines[-1][:-1]}={ord(lines[-1][-1]):02X}"
    return "=\r\n".join(lines)


def _add_run(lines: list[str], run: str) -> None:
    """Add plain characters, opening lines as they fill up."""
    while run:
        room = _WIDTH - len(lines[-1])
        if not room:
            lines.append("")
        elif not lines[-1] and _MANGLED_AT_LINE_START.match(run):
            lines[-1] = f"={ord(run[0]):02X}"
            run = run[1:]
        else:
            lines[-1] += run[:room]
            run = run[room:]
