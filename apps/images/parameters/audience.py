"""Parameters that say for whom the picture is; rules choose by them (`rulesets`). Pure."""

from __future__ import annotations

from parameters import readers
from parameters.row import Row

ROWS = (
    Row("locale", readers.matching(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}",
        "a language such as de or pt-BR"), "The language that rules choose by, instead of"
        " Accept-Language."),
)  # fmt: skip
