"""Reaching a service on somebody's endpoint: which settings it has, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stackproof import values
from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.masking import register_secret
from stackproof.services.base import ConnectionSetting, Service
from stackproof.urls import ServiceUrl, parse_service_url


def connection_settings(service: Service) -> list[ConnectionSetting]:
    """All settings of a service's endpoint: its own ones, then those that every service has."""
    prefix = service.name.upper()

    def common(key: str, text: str, **kind: bool) -> ConnectionSetting:
        return ConnectionSetting(key, (f"{prefix}_{key.upper()}",), text, **kind)

    return [
        *service.connection_settings(),
        common("username", "user to log in as"),
        common("password", "that user's password", secret=True),
        common("password_file", "file that holds the password", is_file=True),
        common("tls", "yes: the connection is encrypted and the certificate checked"),
        common("ca_file", "certificates to trust (PEM); default: the system's", is_file=True),
        common("certificate_file", "the client's own certificate (PEM)", is_file=True),
        common("key_file", "its private key (PEM)", is_file=True),
        common("key_password", "that key's password", secret=True),
        common("key_password_file", "file that holds the key's password", is_file=True),
        common("verify_hostname", "no: the certificate may name another host"),
    ]


def access_from(service: Service, texts: Mapping[str, str]) -> Access:
    """What the common settings say, e.g. ``{"tls": "yes", "username": "qa"}``.

    Raises:
        Trouble: a value cannot be understood, or a file cannot be read.
    """

    def text(key: str) -> str:
        return texts.get(key, "")

    def flag(key: str, default: bool) -> bool:
        try:
            return values.flag(texts[key]) if key in texts else default
        except ValueError as error:
            raise Trouble(
                f"services.{service.name}.{key} cannot be {texts[key]!r}", str(error), "correct it"
            ) from None

    for key in ("ca_file", "certificate_file", "key_file"):
        if text(key):
            _content(service, key, text(key))
    return Access(
        tls=flag("tls", False),
        ca_file=text("ca_file"),
        certificate_file=text("certificate_file"),
        key_file=text("key_file"),
        key_password=_secret(service, "key_password", texts),
        verify_hostname=flag("verify_hostname", True),
        username=text("username"),
        password=_secret(service, "password", texts),
    )


def _secret(service: Service, key: str, texts: Mapping[str, str]) -> str:

    if texts.get(key):
        return texts[key]
    file = texts.get(f"{key}_file")
    if not file:
        return ""
    secret = _content(service, f"{key}_file", file).strip()
    if not secret:
        raise Trouble(
            f"services.{service.name}.{key}_file holds nothing", f"{file} is empty", "fill it"
        )
    register_secret(secret)
    return secret


def _content(service: Service, key: str, file: str) -> str:
    try:
        return Path(file).read_text(errors="replace")
    except OSError as error:
        raise Trouble(
            f"services.{service.name}.{key} cannot be read",
            f"{file}: {error.strerror}",
            "correct the path or its permissions",
        ) from error


def url_text(service: Service, texts: Mapping[str, str]) -> str:
    """The endpoint's URL from ``url`` or the file ``url_file``; empty: neither is set.

    Raises:
        Trouble: it is set beside what a URL says itself, or the file cannot be read.
    """
    text = _secret(service, "url", texts)
    if text and texts.get("host"):
        raise Trouble(
            f"where {service.title} can be reached is said twice",
            f"services.{service.name}.url and services.{service.name}.host are both set",
            "take one of them away (`stackproof doctor` shows where each comes from)",
        )
    return text


def read_url(service: Service, text: str, schemes: Sequence[str]) -> ServiceUrl:
    """What a URL says; its password is masked from now on.

    Raises:
        Trouble: it cannot be understood.
    """
    try:
        url = parse_service_url(text, schemes)
    except ValueError as error:
        raise Trouble(
            f"services.{service.name}.url cannot be used",
            str(error),
            f"correct it, e.g. {schemes[0]}://user:password@host:port/name",
        ) from None
    register_secret(url.password)
    return url


def logged_in(access: Access, url: ServiceUrl, *, tls: bool) -> Access:
    """``access`` with what the URL says; it overrides the other settings."""
    return replace(
        access,
        tls=access.tls or tls,
        username=url.username or access.username,
        password=url.password or access.password,
    )


def number(service: Service, key: str, value: str | int) -> int:
    """A setting that is a number.

    Raises:
        Trouble: it is none.
    """
    text = str(value)
    if not (text.isascii() and text.isdecimal()):
        raise Trouble(
            f"services.{service.name}.{key} cannot be {text!r}",
            "a number is expected",
            "correct it",
        )
    return int(text)


def required(service: Service, texts: Mapping[str, str], key: str) -> str:
    """A setting without which the endpoint cannot be reached.

    Raises:
        Trouble: it is missing.
    """
    if texts.get(key):
        return texts[key]
    own = service.connection_settings()
    variables = next(s.variables for s in own if s.key == key)
    raise Trouble(
        f"where {service.title} can be reached is not known",
        f"it is provided as an external endpoint, and nothing says {key}",
        f"set {' or '.join(variables)}, or {key} in [services.{service.name}] of stackproof.toml",
    )
