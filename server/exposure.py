"""Who can reach the server, and whether it knows them: looked at before it listens, and told."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from loguru import logger

from config.settings import Settings
from server.authentication.authenticator import Authenticator

_MAKE_A_KEY = "`python -m server.keys create --name NAME`"


class Exposed(Exception):
    """Everybody could reach a server that knows nobody, and nobody has asked for that; the message says what to do."""


def refuse_exposure(settings: Settings, addresses: Iterable[Any]) -> None:
    """Raise Exposed where Gunicorn would listen beyond this machine, callers need not be known and nobody said so."""
    beyond = [address for address in addresses if not _is_of_this_machine(address)]
    if beyond and not settings.authenticates and settings.auth == "auto":
        where = ":".join(map(str, beyond[0])) if isinstance(beyond[0], tuple) else beyond[0]
        raise Exposed(f"whoever can reach {where} could use it: make a key ({_MAKE_A_KEY}), or say ASR_AUTH=none")


def tell(settings: Settings, authenticator: Authenticator) -> None:
    """Log who may call; a warning where that is everybody, or nobody."""
    if not settings.authenticates:
        if settings.auth == "none":
            logger.warning(
                f"ASR_AUTH=none: whoever can reach {settings.address} can use all of it, and is known by address alone"
            )
        elif settings.bind is None:
            logger.info(
                f"this machine alone can reach {settings.address}; {_MAKE_A_KEY} makes a key, with which others can "
                "after the next start"
            )
        return
    keys, issuer = authenticator.number_of_keys, settings.jwt_issuer
    if not keys and not issuer:
        logger.warning(f"callers must be known, and there is no key: {_MAKE_A_KEY} makes one")
    else:
        logger.info(f"callers must be known; keys: {keys}" + (f", and tokens of {issuer}" if issuer else ""))


def _is_of_this_machine(address: Any) -> bool:
    """Whether only programs of this machine get to an address as Gunicorn has them: of a descriptor nobody knows."""
    if isinstance(address, str):
        return True  # a Unix socket
    host = address[0] if isinstance(address, tuple) else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return bool(host == "localhost")
