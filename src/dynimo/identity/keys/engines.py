"""Which engines a platform has: the first makes new keys, the others still use theirs.

The settings decide; nothing is used here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dynimo.identity.config import Config
from dynimo.identity.keys.embedded import Embedded
from dynimo.identity.keys.remote import Remote
from dynimo.identity.keys.token import Token
from dynimo.identity.vault import Vault
from dynimo.model.errors import ConfigError
from dynimo.ports import KeyEngine

_PIN_BYTES_MAX = 1024


def engines(config: Config, vault: Vault) -> list[KeyEngine]:
    """The engines, the one for new keys first.

    Raises:
        ConfigError: the token cannot be used, or others may read its PIN.
    """
    embedded = Embedded(vault)
    if config.key_region:
        return [Remote(config.key_region, config.key_endpoint), embedded]
    if not config.key_module:
        return [embedded]
    return [Token(config.key_module, config.key_token, _pin(Path(config.key_pin_file))), embedded]


def _pin(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(_PIN_BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.") from None
    if mode & 0o077:
        raise ConfigError(f"{path} may be read by others; `chmod 600 {path}`.")
    try:
        return text.decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} holds no PIN.") from None
