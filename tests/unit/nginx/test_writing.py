"""nginx's grammar: what is text stays text, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.nginx.writing import Expression, block, one, quoted, text


def _read_back(argument: str) -> str:
    """One argument as nginx's own reader takes it (ngx_conf_read_token)."""
    if not argument.startswith('"'):
        assert not set(argument) & set(" \t;{}\"'\\#$")
        return argument
    assert argument.endswith('"')
    inner, out, escaped = argument[1:-1], "", False
    for character in inner:
        assert escaped or character != '"'
        if escaped:
            out += character if character in "\"'\\" else "\\" + character
        elif character != "\\":
            out += character
        escaped = character == "\\" and not escaped
    assert not escaped
    return out


@given(st.text(st.characters(exclude_characters="$", exclude_categories=["Cc", "Cs"])))
def test_text_is_read_back_as_it_was(argument: str) -> None:
    """No text ends its argument, its directive or its block."""
    assert _read_back(quoted(argument)) == argument


@pytest.mark.parametrize("argument", ["a$host", "a\nb", "a\0b", "\x7f"])
def test_what_cannot_be_said_is_refused(argument: str) -> None:
    """A variable where text is meant, and what no configuration can hold."""
    with pytest.raises(ValueError, match="cannot hold"):
        quoted(argument)


def test_only_an_expression_names_variables() -> None:
    """The difference is one of type, so that no text of a stranger's becomes one."""
    assert quoted(Expression("$host")) == '"$host"'


def test_directives_nest() -> None:
    """A line each, blocks set in."""
    made = block("server", inside=(one("listen", 80), block("location", "/", inside=())))
    assert text((made,)) == "server {\n    listen 80;\n    location / {\n    }\n}\n"
