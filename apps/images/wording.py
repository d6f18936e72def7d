"""A stranger's text, before it is set: what of it stays, and what is refused. Pure.

Nothing in it is markup, no character in it turns the order of what is around it, and no letter
bears a tower of marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from xml.sax.saxutils import escape

import refusals

LINES_MAX = 100
MARKS_MAX = 8
"""Combining marks on one letter; living scripts need four."""
_BREAKS = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
_TURNING = re.compile(r"[\u202a-\u202e]")
"""Bidirectional embeddings and overrides; isolates and marks stay, which turn only themselves."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_SCRIPTS = {"CJK": "Chinese", "KANGXI": "Chinese", "IDEOGRAPHIC": "Chinese"}
_HAN = re.compile(r"[\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA, _HANGUL = re.compile(r"[\u3040-\u30ff]"), re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")
_EMOJI_FIRST, _EMOJI_LAST = 0x1F000, 0x1FAFF


def clean(text: str) -> str:
    """Give what is to be set: composed, lines ended by a newline, without controls. May be empty.

    Raises:
        Refusal: 400; too many lines, or marks on a letter.
    """
    text = _TURNING.sub("", _BREAKS.sub("\n", unicodedata.normalize("NFC", text)))
    text = "".join(_kept(character) for character in text).strip("\n ")
    if text.count("\n") >= LINES_MAX:
        raise refusals.parameter("words.text", text, f"at most {LINES_MAX} lines")
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MARKS_MAX:
            allowed = f"a text with at most {MARKS_MAX} combining marks on a letter"
            raise refusals.parameter("words.text", text, allowed)
    return text


def _kept(character: str) -> str:
    if character == "\t":
        return " "
    gone = character != "\n" and unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn")
    return "" if gone else character


def check_glyphs(text: str, has: Callable[[int], bool]) -> None:
    """Check that there is a glyph for every character that is seen.

    Raises:
        Refusal: 422; not for one of them, whose script is named.
    """
    for character in dict.fromkeys(text):
        if _is_seen(character) and not has(ord(character)):
            script, code = script_of(character), f"U+{ord(character):04X}"
            raise refusals.Refusal(
                422,
                "missing_glyph",
                f"no font here has the character {code} ({script}); fonts that do go into the"
                " folder that [apps.images] fonts names",
                facts={"character": code, "script": script},
            )


def _is_seen(character: str) -> bool:
    if character.isspace() or unicodedata.category(character) == "Cf":
        return False
    return not ("\ufe00" <= character <= "\ufe0f" or character >= "\U000e0000")


def script_of(character: str) -> str:
    """Name a character's script for people, by its Unicode name: ``Hangul``, ``emoji``."""
    if _EMOJI_FIRST <= ord(character) <= _EMOJI_LAST:
        return "emoji"
    first = unicodedata.name(character, "unknown").replace("-", " ").split()[0]
    return _SCRIPTS.get(first, first.capitalize())


def language_of(text: str) -> str:
    """Guess the language of Chinese characters by the letters beside them; empty without any."""
    if not _HAN.search(text):
        return ""
    return "ja" if _KANA.search(text) else "ko" if _HANGUL.search(text) else "zh"


def runs_left(text: str) -> bool:
    """Tell whether the text begins from the right: its first strong character says."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


def markup(text: str, language: str) -> str:
    """Give it as Pango takes it: none of it markup, in a language where one is named.

    Raises:
        Refusal: 400; the language is none.
    """
    if not language:
        return escape(text)
    if not _LANGUAGE.fullmatch(language):
        raise refusals.parameter("words.language", language, "a language tag such as zh-Hant")
    return f'<span lang="{language}">{escape(text)}</span>'
