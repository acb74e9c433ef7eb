"""Which language a text is in: the declared one tidied, else a guess by script; not a language detector.

Only scripts that settle the matter are guessed: Hangul is Korean, Kana is Japanese, Han without Kana is Chinese.
Latin text may be any of fifty languages, so it stays unknown unless somebody declared it.
"""

from __future__ import annotations

import re

SAMPLE_LENGTH = 20_000  # characters; a page does not change its language after that
ENOUGH = 0.3  # share of the letters; an English article names a Chinese company now and then
ENOUGH_KANA = 0.05  # of the CJK letters; a Japanese headline may be nearly all Han

_TAG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
_HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_LETTER = re.compile(r"[^\W\d_]")


def declared_language(written: str | None) -> str | None:
    """Return a declared language as a tidy BCP 47 tag (``zh_cn`` → ``zh-CN``), or None when it is not one."""
    found = _TAG.fullmatch((written or "").strip().partition(".")[0].replace("_", "-"))
    if found is None:
        return None
    first, *rest = found[0].split("-")
    return "-".join([first.lower(), *map(_subtag, rest)])


def guess_language(text: str) -> str | None:
    """Return ``"zh"``, ``"ja"`` or ``"ko"`` where the script says so, else None."""
    sample = text[:SAMPLE_LENGTH]
    letters = len(_LETTER.findall(sample))
    han, kana, hangul = (len(script.findall(sample)) for script in (_HAN, _KANA, _HANGUL))
    if han + kana + hangul < ENOUGH * max(letters, 1):
        return None
    if hangul >= max(han, kana):
        return "ko"
    return "ja" if kana >= ENOUGH_KANA * (han + kana) else "zh"


def _subtag(subtag: str) -> str:
    """Write a region in capitals and a script as a name: ``CN``, ``Hans``."""
    if len(subtag) == len("CN"):
        return subtag.upper()
    return subtag.title() if len(subtag) == len("Hans") and subtag.isalpha() else subtag.lower()
