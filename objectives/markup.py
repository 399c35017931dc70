"""The words of a text without what a model writes around them: Markdown, HTML, LaTeX, JSON escapes, broken lines.

A reader sees the same words in `**2** hours`, `<b>2</b> hours`, `$2$ hours` and `2&nbsp;hours`. So do the matchers.
Nearly every rule looks at one place and its neighbours only, so that appended text changes nothing before it.
"""

from __future__ import annotations

import html
from functools import lru_cache
from typing import Final

import regex

_INLINE: Final = "b|i|u|s|a|em|strong|code|span|mark|small|sub|sup|del|ins|font|kbd|tt|var|cite|abbr"
_BLOCK: Final = "p|br|hr|div|ul|ol|li|dl|dt|dd|table|thead|tbody|tr|td|th|h[1-6]|pre|blockquote|section|article|details"
_ATTRIBUTES: Final = r"""(?:\s+[\w-]{1,40}\s*=\s*(?:"[^"<>\n]*"|'[^'<>\n]*'|[^\s"'<>]+))*\s*/?>"""
_INLINE_TAG: Final = regex.compile(rf"</?(?:{_INLINE}){_ATTRIBUTES}", regex.IGNORECASE)
_BLOCK_TAG: Final = regex.compile(rf"</?(?:{_BLOCK}){_ATTRIBUTES}", regex.IGNORECASE)
_ENTITY: Final = regex.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_UNICODE_ESCAPE: Final = regex.compile(r"(?:\\{1,2}u[0-9a-fA-F]{4})+")
_LINE_ESCAPE: Final = regex.compile(r"(?:\\r)?\\n|\\t")
_LINE_ESCAPE_ALONE: Final = regex.compile(r"(?:\\r)?\\n(?![\p{Ll}_])|(?<=[.!?;,。]|\*\*)(?:\\r)?\\n")
_JSON: Final = regex.compile(r'"\s*:\s*["\[{]|[\[{]\s*"|^\s*"')
_MARK_ESCAPE: Final = regex.compile(r"\\(?=[!-/:-@\[-`{-~])")
_LATEX_WORDS: Final = regex.compile(r"\\(?:text|textbf|textit|texttt|emph|mathrm|mathbf|mathit|operatorname|boxed) ?\{")
_LATEX_SPACE: Final = regex.compile(r"\\[,;:! ]|(?<=\S)~(?=\S)|\\quad\b|\\left\b|\\right\b")
_LATEX_SIGNS: Final = {"\\times": "×", "\\approx": "≈", "\\rightarrow": "→", "\\to": "→", "\\leq": "≤", "\\geq": "≥"}
_LATEX_SIGN: Final = regex.compile("|".join(regex.escape(sign) + r"(?!\p{L})" for sign in _LATEX_SIGNS))
# As in Pandoc: no space inside the signs, and no digit after them; so `$5 and $10` are amounts of money.
_MATH: Final = regex.compile(r"(?<![\\$A-Za-z\d])(\$\$?)(?=[^\s$])([^$\n]{1,80}?)(?<=[^\s\\])\1(?![\d$])")
_MATH_BRACKETS: Final = regex.compile(r"\\[()\[\]]")
_TICKS: Final = regex.compile(r"(?<!\p{L})`+|`+(?!\p{L})")
_STARS: Final = regex.compile(r"(?<![\d*])\*++(?=\S)|(?<=\S)\*++(?!\d)")
_TILDES: Final = regex.compile(r"~~(?=\S)|(?<=\S)~~")
_LINES_UNDER: Final = regex.compile(r"(?<![\p{L}\p{N}_])_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?![\p{L}\p{N}_])")
_LINK: Final = regex.compile(r"!?\[([^\[\]\n]{1,200})\]\((?:\w+:|[/#.])[^()\s]{0,500}\)")
_BROKEN_WORD: Final = regex.compile(r"(?<=\p{L}{2}-)[^\S\n]*\n[^\S\n]*(?=\p{Ll}{2})")
_SPECIAL: Final = regex.compile(r"<\|[A-Za-z_][\w-]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|end_of_turn|start_of_turn)>")
_PIECES: Final = regex.compile("\u2581+|(?<=\\S)\u0120")
"""Signs of tokenisers for a space, which a broken conversion of a model leaves in its texts."""
_WRAPPED: Final = regex.compile(r"(?<=[\p{L}\p{N},])[^\S\n]*\n[^\S\n]*(?=\p{Ll}|\d(?!\d{0,2}[.)]\s))")
"""The end of a line within a sentence."""
_SPACES: Final = regex.compile(r"(?<=\S)[^\S\n]{2,}(?=\S)")
_NUMBERED_ROW: Final = regex.compile(
    r"^[ \t]*+\|[ \t]*+\d{1,3}[ \t]*+(?=\|)|^[ \t]*+[-*+][ \t]++\[[ xX]\](?=\s)", regex.MULTILINE
)
"""A row's own number in a table, and a box to tick: no part of the sentence behind it."""
_PLAIN: Final = regex.compile(r"[\\*_`~$&<\[|\u2581\u0120]|\n|[^\S\n]{2}")


@lru_cache(maxsize=64)  # a text is asked for between the items of its rubric
def plain(text: str) -> str:
    """Return a text without its markup, its escapes undone; the text itself where it has none."""
    if not _PLAIN.search(text):
        return text
    text = _NUMBERED_ROW.sub("", _unescaped(text))
    if "<" in text:
        text = _BLOCK_TAG.sub("\n", _INLINE_TAG.sub("", _SPECIAL.sub(" ", text)))
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "\\" in text or "$" in text:
        text = _without_latex(text)
    text = _MARK_ESCAPE.sub("", text)
    text = _LINES_UNDER.sub("", _TILDES.sub("", _STARS.sub("", _TICKS.sub("", text))))
    text = _PIECES.sub(" ", _BROKEN_WORD.sub("", text))
    return _SPACES.sub(" ", _WRAPPED.sub(" ", text))


def _unescaped(text: str) -> str:
    r"""Undo the escapes of JSON: `\u00e9` anywhere, `\n` where the text is JSON or no word follows (as in a path)."""
    if "\\" not in text:
        return text
    text = _UNICODE_ESCAPE.sub(_characters, text)
    if not _JSON.search(text):
        return _LINE_ESCAPE_ALONE.sub("\n", text)
    return _LINE_ESCAPE.sub(lambda found: " " if found[0] == "\\t" else "\n", text.replace('\\"', '"'))


def _characters(found: regex.Match[str]) -> str:
    """Return the characters of successive escapes; unpaired halves stay as they are written."""
    units = [int(unit, 16) for unit in found[0].replace("\\", "").split("u")[1:]]
    try:
        return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be")
    except UnicodeDecodeError:
        return found[0]


def _without_latex(text: str) -> str:
    opened = _LATEX_WORDS.search(text) is not None
    text = _LATEX_SPACE.sub(" ", _LATEX_WORDS.sub("", text)) if "\\" in text else text
    if opened:
        text = text.replace("}", "")
    text = _LATEX_SIGN.sub(lambda found: _LATEX_SIGNS[found[0]], _MATH_BRACKETS.sub("", text))
    return _MATH.sub(r"\2", text)
