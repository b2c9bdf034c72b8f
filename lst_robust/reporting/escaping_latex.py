"""Any text as LaTeX that pdfLaTeX compiles with the fonts that every installation has.

The result is ASCII, so it does not depend on the engine or on an input encoding. It says everything in the encoding
OT1: the vector fonts of T1 and TS1 are packages of their own, which a small installation lacks. Only the few Latin
letters that OT1 does not have ask for T1, and TeX then draws their fonts itself, as bitmaps, where it has no others.
"""

from __future__ import annotations

import re
import unicodedata

from lst_robust.errors import one_line

_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\texttt{\char34}",  # straight in OT1 and T1; \textquotedbl is an error in OT1
    "`": r"\`{}",  # an accent over nothing: no quotation mark, no part of ?` or ``
    "[": "{[}",  # no argument of \\ at the end of the row above
    "]": "{]}",  # no end of an optional argument
    "*": "{*}",  # no star of \\
}
_SYMBOLS = {
    "\u00a0": r"\nobreakspace{}", "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "„": "{,}{,}",
    "¡": "{!`}", "¿": "{?`}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}", "£": r"\pounds{}", "†": r"\dag{}",
    "‡": r"\ddag{}", "«": r"$\ll$", "»": r"$\gg$", "·": r"$\cdot$", "•": r"$\bullet$", "°": r"$^{\circ}$",
    "±": r"$\pm$", "×": r"$\times$", "÷": r"$\div$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$",
    "≈": r"$\approx$", "∞": r"$\infty$", "→": r"$\rightarrow$", "←": r"$\leftarrow$", "↔": r"$\leftrightarrow$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$", "Ω": r"$\Omega$", "¬": r"$\neg$",
    "µ": r"$\mu$", "¹": "$^{1}$", "²": "$^{2}$", "³": "$^{3}$", "∈": r"$\in$", "√": r"$\surd$",
}  # fmt: skip
_GREEK = {c: rf"$\{unicodedata.name(c).split()[-1].lower()}$" for c in "αβγδεζηθικνξπρστυφχψω"} | {
    "λ": r"$\lambda$",
    "μ": r"$\mu$",
}
_LETTERS = {
    "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "œ": r"\oe{}", "Œ": r"\OE{}",
    "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}", "ȷ": r"\j{}",
}  # fmt: skip
_LETTERS_OF_T1 = {
    "đ": r"\dj", "Đ": r"\DJ", "ð": r"\dh", "Ð": r"\DH", "þ": r"\th", "Þ": r"\TH", "ŋ": r"\ng", "Ŋ": r"\NG",
}  # fmt: skip
_ACCENTS = {
    "\u0300": r"\`", "\u0301": r"\'", "\u0302": r"\^", "\u0303": r"\~", "\u0304": r"\=", "\u0306": r"\u",
    "\u0307": r"\.", "\u0308": r"\"", "\u030a": r"\r", "\u030b": r"\H", "\u030c": r"\v", "\u0323": r"\d",
    "\u0326": r"\textcommabelow", "\u0327": r"\c", "\u0331": r"\b",
}  # fmt: skip
_BELOW = ("\u0323", "\u0326", "\u0327", "\u0331")
_OGONEK = "\u0328"
_KNOWN = _SPECIAL | _SYMBOLS | _GREEK | _LETTERS
_LIGATURES = re.compile(r"([-',])(?=\1)")  # -- and '', and ,, in T1; those with ` have no such character any more
_LONGEST = 12  # characters without a place to break the line


def latex(text: str, *, breakable: bool = False) -> str:
    """Text for a paragraph, a caption or a cell of a tabular, of which a reader sees the same characters.

    Letters of Latin alphabets, Greek ones and typographic signs are kept. What pdfLaTeX cannot print is named by its
    number, as <U+4E2D>. breakable: long words may be broken without a hyphen, for narrow columns.
    """
    line = unicodedata.normalize("NFC", one_line(str(text)))
    words = re.split(r"( +)", line)
    shown = "".join(
        _broken(word) if breakable and printed_length(word) > _LONGEST else _together(word) for word in words
    )
    return _LIGATURES.sub(r"\1{}", shown)


def printed_length(text: str) -> int:
    """How many characters are printed for a text."""
    line = unicodedata.normalize("NFC", one_line(str(text)))
    return sum(len(_number(char)) if _character(char) is None else 1 for char in line)


def _together(word: str) -> str:
    return "".join(map(_shown, word))


def _broken(word: str) -> str:
    """With a place for a break after punctuation, and after so many characters without one."""
    shown, since = [], 0
    for char in word:
        shown.append(_shown(char))
        since += printed_length(char)
        if since >= _LONGEST or not char.isalnum():
            shown.append(r"\allowbreak{}")
            since = 0
    return "".join(shown)


def _shown(char: str) -> str:
    known = _character(char)
    return "".join(_SPECIAL.get(part, part) for part in _number(char)) if known is None else known


def _character(char: str) -> str | None:
    """None for what cannot be printed."""
    if (known := _KNOWN.get(char)) is not None:
        return known
    if char.isascii():
        return char
    if (letter := _LETTERS_OF_T1.get(char)) is not None:
        return _of_t1(letter)
    base, *marks = list(unicodedata.normalize("NFD", char))
    if len(marks) == 1 and base.isascii() and base.isalpha():
        if marks[0] == _OGONEK:
            return _of_t1(rf"\k{{{base}}}")
        if (accent := _ACCENTS.get(marks[0])) is not None:
            dotless = "\\" if base in "ij" and marks[0] not in _BELOW else ""
            return f"{accent}{{{dotless}{base}}}"
    return None


def _number(char: str) -> str:
    return f"<U+{ord(char):04X}>"


def _of_t1(command: str) -> str:
    return rf"{{\fontencoding{{T1}}\selectfont{command}}}"
