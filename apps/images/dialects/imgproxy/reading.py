"""The path: which segments are options, which are the source, and carrying options out. Pure.

Options end at the first segment without an argument; a lone ``-`` begins another pipeline on what
the one before has made (imgproxy Pro).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from dialects.imgproxy import options, pro_options, wrong
from dialects.imgproxy.options import Apply
from dialects.imgproxy.said import Said
from refusals import Refusal

OPTIONS_MAX = 300
"""Options of one URL, those of its presets counted wherever they are used."""
ARGUMENTS_MAX = 130
"""Arguments of one option: 32 areas and a sigma."""
CHAINED_MAX = 8
"""Pipelines of one URL."""
DEFAULT = "default"
"""The preset that every URL begins with, if there is one."""
CHAIN = "-"

Option = tuple[str, tuple[str, ...]]
Presets = Mapping[str, Sequence[Option]]

APPLY: Mapping[str, Apply] = {
    name: apply
    for table in (options.TABLE, pro_options.TABLE, pro_options.ABSENT, pro_options.SECURITY)
    for names, apply in table.items()
    for name in names
}


def split(segments: Sequence[str]) -> tuple[list[list[Option]], Sequence[str]]:
    """Split into the options of each pipeline, and what follows them.

    Raises:
        Refusal: 404.
    """
    chains: list[list[Option]] = [[]]
    for at, segment in enumerate(segments):
        if not segment and at + 1 < len(segments) and not wrong.is_scheme(segments[at - 1]):
            raise wrong.url("there are two slashes where one must be: an option is empty")
        if segment == CHAIN and at + 1 < len(segments):
            chains.append([])
        elif ":" not in segment:
            return chains, segments[at:]
        else:
            name, *args = segment.split(":", ARGUMENTS_MAX + 1)
            if len(args) > ARGUMENTS_MAX:
                raise wrong.option(name, segment, f"followed by at most {ARGUMENTS_MAX} arguments")
            chains[-1].append((name, tuple(map(_decoded, args))))
        if len(chains) > CHAINED_MAX or at > OPTIONS_MAX:
            raise wrong.url(f"there are more than {OPTIONS_MAX} options or {CHAINED_MAX} pipelines")
    return chains, ()


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise wrong.url("an argument is not UTF-8") from None


def begin(said: Said, presets: Presets) -> None:
    """Apply the preset ``default``, before the URL says anything. Raises Refusal."""
    if DEFAULT in presets:
        use(said, (DEFAULT,), presets)


def check_allowed(given: Sequence[Option], allowed: Container[str] | None) -> None:
    """Refuse options that the deployment does not allow in URLs; presets may have them.

    Raises:
        Refusal: 403.
    """
    if allowed is None:
        return
    for name, _ in given:
        if name not in allowed:
            raise wrong.forbidden(f"the option {name[: wrong.SHOWN_MAX]!r} is not allowed here")


def carry_out(
    said: Said, given: Sequence[Option], presets: Presets, used: tuple[str, ...] = ()
) -> None:
    """Apply options in their order.

    Raises:
        Refusal: 404 or 403.
    """
    for name, args in given:
        said.finish.applied += 1
        if said.finish.applied > OPTIONS_MAX:
            raise wrong.url(f"there are more than {OPTIONS_MAX} options")
        if name in ("preset", "pr"):
            use(said, args, presets, used)
            continue
        apply = APPLY.get(name)
        if apply is None:
            raise wrong.unknown(name, APPLY)
        apply(said, args)


def use(said: Said, names: Sequence[str], presets: Presets, used: tuple[str, ...] = ()) -> None:
    """Apply presets by name; one that is being applied is not begun again.

    Raises:
        Refusal: 404; there is none of that name.
    """
    for name in names:
        found = presets.get(name)
        if found is None:
            raise wrong.option("preset", name, "the name of a preset")
        if name not in used:
            said.finish.applied += 1
            carry_out(said, found, presets, (*used, name))


def parse_presets(text: str) -> dict[str, Sequence[Option]]:
    """Read ``name=option/option,name=…``, in full: each is applied once to see that it can be.

    Raises:
        ValueError: naming the preset.
    """
    found: dict[str, Sequence[Option]] = {}
    for piece in text.split(","):
        spelled = piece.strip()
        if not spelled or spelled.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in spelled.partition("="))
        chains, rest = split(value.split("/"))
        if not name or not equals or rest or len(chains) > 1 or "=" in value:
            raise ValueError(f"the preset {name!r} must be NAME=option:argument/option:argument")
        found[name] = tuple(chains[0])
    for name in found:
        try:
            use(Said(), (name,), found)
        except Refusal as refusal:
            raise ValueError(f"the preset {name!r}: {refusal.message}") from None
    return found


def check_form(first: str) -> None:
    """Refuse the old form, in which the path began with a way of resizing. Raises Refusal."""
    if first in options.MODES:
        raise wrong.url("this is imgproxy's old basic form of URLs; write rs:fit:300:200 instead")
