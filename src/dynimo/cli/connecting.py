"""Which platform does a verb talk to, and with whose key? Reads flags, environment, data folder.

The order: a ``--data`` that is typed; ``AWS_ENDPOINT_URL`` with its keys, as for any AWS tool; else
the server that runs on the data folder, with that folder's development key.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dynimo.cli import exits
from dynimo.model.names import ACCOUNT_DEFAULT, REGION_DEFAULT

if TYPE_CHECKING:
    from dynimo.deploying.client import ApiError, Client, Sign
    from dynimo.identity.keyring import Keyring

DATA_FOLDER = ".dynimo"


def data_here() -> str:
    """The data folder that is meant when none is named: ``.dynimo`` here, or in a folder above.

    Only one of the user's own counts, as a folder above may be everybody's.
    """
    from dynimo.datafolder import KEY_FILE

    for folder in (Path.cwd(), *Path.cwd().parents):
        try:
            if (folder / DATA_FOLDER / KEY_FILE).stat().st_uid == os.geteuid():
                return os.path.relpath(folder / DATA_FOLDER)
        except OSError:
            continue
    return DATA_FOLDER


data_option: Callable[[Any], Any] = click.option(
    "--data",
    type=click.Path(file_okay=False),
    default=data_here,
    envvar="DYNIMO_DATA",
    show_default=f"{DATA_FOLDER} here or above",
    show_envvar=True,
    help="Data folder of the server to talk to.",
)
json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Answer in JSON."
)


_MISTYPED = frozenset({"ValidationException", "InvalidRequestContentException"})
"""What AWS says of names and events that are wrong in themselves."""


class Refused(click.ClickException):
    """A verb that cannot go on; ``exit_code`` is one of ``exits``."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's shape
        """Say it in the way of every verb."""
        click.echo(f"dynimo: {self.message}", err=True)


@contextmanager
def connected(data: str) -> Iterator[Client]:
    """A client of the platform that the caller means; what fails is told and ends the verb."""
    from dynimo.deploying.client import ApiError, BadAddress, Unreachable
    from dynimo.model.errors import ConfigError, DynimoError

    try:
        client = _client(Path(data))
    except BadAddress as error:
        raise Refused(f"{error} Mend AWS_ENDPOINT_URL.", exits.CONFIG) from None
    except ConfigError as error:
        raise Refused(f"{error} Mend AWS_CA_BUNDLE.", exits.CONFIG) from None
    try:
        yield client
    except ApiError as error:
        said = str(error).split("\n\n")[0]  # further on, AWS explains how a signature is made
        raise Refused(f"{said}{_hint(error)}", _exit_code(error)) from None
    except Unreachable as error:
        hint = "Is it up? `dynimo up` starts one."
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            hint = "Name the file of the certificate to trust in AWS_CA_BUNDLE."
        raise Refused(f"{error} {hint}", exits.UNAVAILABLE) from None
    except DynimoError as error:
        raise Refused(str(error), exits.FAILED) from None
    finally:
        client.close()


def _exit_code(error: ApiError) -> int:
    if error.code in _MISTYPED:
        return exits.USAGE
    return {403: exits.DENIED, 404: exits.NOT_FOUND}.get(error.status, exits.FAILED)


def _hint(error: ApiError) -> str:
    """What to do next, where AWS's own words do not say it."""
    if error.status == 404 and error.message.startswith("Function not found"):
        return ". `dynimo versions` lists every function, `dynimo versions NAME` its versions."
    if error.status == 404 and error.message.startswith("Cannot find alias"):
        return ". `dynimo deploy … --alias NAME` or `dynimo alias FUNCTION NAME VERSION` makes one."
    if error.status == 429:
        return (
            " Try again; `aws lambda get-function-concurrency --function-name NAME` says its limit."
        )
    if error.code == "AccessDeniedException":
        end = "" if error.message.endswith(".") else "."
        return f"{end} Whoever runs the server can allow it: `dynimo access policy attach --help`."
    if error.code in {"UnrecognizedClientException", "InvalidSignatureException"}:
        return ' Take a key of this platform: eval "$(dynimo env)", or `dynimo access key add`.'
    return ""


def region() -> str:
    """The region that AWS's tools would use."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION", "DYNIMO_IDENTITY_REGION")
    return next((os.environ[name] for name in names if os.environ.get(name)), REGION_DEFAULT)


def account() -> str:
    """The account of the key at hand: a key id of twelve digits names it."""
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    if len(key) == len(ACCOUNT_DEFAULT) and key.isdigit():
        return key
    return os.environ.get("DYNIMO_IDENTITY_ACCOUNT") or ACCOUNT_DEFAULT


def _client(folder: Path) -> Client:
    names = ("AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL")
    address = next((os.environ[name] for name in names if os.environ.get(name)), "")
    if address and not data_typed():
        from dynimo.deploying.client import Client

        return Client(address, _signing(os.environ), trusted=os.environ.get("AWS_CA_BUNDLE", ""))
    return client_of(folder)


def data_typed() -> bool:
    """Whether the data folder was named on the command line: what is typed goes before the rest."""
    context = click.get_current_context(silent=True)
    return (
        context is not None and context.get_parameter_source("data") is ParameterSource.COMMANDLINE
    )


def client_of(folder: Path) -> Client:
    """A client of the server that runs on a data folder, with its development key."""
    from dynimo.datafolder import ADDRESS_FILE
    from dynimo.deploying.client import Client

    try:
        address = (folder / ADDRESS_FILE).read_text().strip()
    except FileNotFoundError:
        text = f"no server runs on {folder}; start one with `dynimo up`, or set AWS_ENDPOINT_URL."
        raise Refused(text, exits.UNAVAILABLE) from None
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}.", exits.DENIED) from None
    return Client(address, _signing(_development_key(folder)))


def _signing(environment: Mapping[str, str]) -> Sign:
    """Sign as AWS's tools would with these variables; without a key, send requests unsigned."""
    from dynimo.identity import signer

    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return lambda method, url, headers, body: headers  # noqa: ARG005 - the shape of Sign
    credentials = signer.Credentials(
        access_key=key, secret=secret, token=environment.get("AWS_SESSION_TOKEN", "")
    )
    place = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or region()

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        service = "logs" if headers.get("x-amz-target", "").startswith("Logs_") else "lambda"
        return signer.sign(
            method, url, headers, body, credentials=credentials, region=place, service=service
        )

    return sign


def _development_key(folder: Path) -> Mapping[str, str]:
    """The development key of a data folder, as AWS's variables."""
    with keyring_of(folder) as keyring:
        key, secret = keyring.development()
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": keyring.region,
        }


def _not_yours(error: OSError) -> Refused:
    text = f"{error.filename}: {error.strerror}. Keys are for whoever runs the server"
    return Refused(f"{text}; --data names another folder.", exits.DENIED)


@contextmanager
def keyring_of(folder: Path) -> Iterator[Keyring]:
    """The identities of a data folder, which is made if need be; what fails ends the verb."""
    from dynimo.identity.config import Config
    from dynimo.identity.keyring import Keyring
    from dynimo.identity.refusals import MalformedPolicy, NoSuchIdentity
    from dynimo.model.errors import ConfigError, DynimoError

    given: dict[str, Any] = {
        name: os.environ[f"DYNIMO_IDENTITY_{name.upper()}"]
        for name in ("account", "region")
        if f"DYNIMO_IDENTITY_{name.upper()}" in os.environ
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        keyring = Keyring(folder, Config(**given))
        try:
            yield keyring
        finally:
            keyring.close()
    except (ConfigError, ValueError) as error:
        cause = error.__context__
        if isinstance(cause, PermissionError):
            raise _not_yours(cause) from None
        raise Refused(str(error), exits.CONFIG) from None
    except OSError as error:
        raise _not_yours(error) from None
    except NoSuchIdentity as error:
        hint = "`dynimo access user list` (or key, role) names those that there are."
        raise Refused(f"{error} {hint}", exits.NOT_FOUND) from None
    except MalformedPolicy as error:
        raise Refused(f"the policy cannot be used: {error}", exits.FAILED) from None
    except DynimoError as error:
        raise Refused(str(error), exits.FAILED) from None
