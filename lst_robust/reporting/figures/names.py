"""Names of networks and classes as they stand in a figure: one line, not too long, allowed in XML."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from lst_robust.errors import one_line

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that an XML 1.0 document cannot hold, not even escaped."""


def plain(text: str) -> str:
    """A name as one line that every format can hold; characters that cannot stand there become U+FFFD."""
    return NOT_XML.sub("\ufffd", one_line(text))


def shortened(text: str, longest: int) -> str:
    """At most so many characters: the middle gives way, because names of one family differ at the end."""
    text = plain(text)
    if len(text) <= longest:
        return text
    end = (longest - 1) // 2
    return f"{text[: longest - 1 - end]}…{text[len(text) - end :]}"


def short_names(names: Sequence[str], longest: int) -> list[str]:
    """Shortened names; those that would be equal then get a number: "resnet…a", "resnet…a (2)"."""
    short = [shortened(name, longest) for name in names]
    seen: Counter[str] = Counter()
    for index, name in enumerate(short):
        seen[name] += 1
        if seen[name] > 1:
            short[index] = f"{name} ({seen[name]})"
    return short


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names within a sentence: "a, b and c", or "a, b, c and 9 others"."""
    names = [shortened(name, 80) for name in names]
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} others"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def tip(text: str) -> str:
    """An artist's gid that becomes a tooltip, see `inline_svg`."""
    return f"{TIP}{plain(text)}"


TIP = "tip:"
