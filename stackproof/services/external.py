"""Reaching a service on somebody's endpoint: which settings it has, and what they mean."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stackproof import values
from stackproof.access import Access, tls_context
from stackproof.errors import Trouble
from stackproof.masking import register_secret
from stackproof.services.base import ConnectionSetting, Service
from stackproof.urls import ServiceUrl, parse_service_url

#: They say how a connection is encrypted, so they say nothing without encryption.
_OF_TLS = ("ca_file", "certificate_file", "key_file")


def connection_settings(service: Service) -> list[ConnectionSetting]:
    """All settings of a service's endpoint: its own ones, then those that every service has."""
    prefix = service.name.upper()
    location = getattr(service, "location", None)  # not every one in tests has it

    def common(key: str, text: str, **kind: bool) -> ConnectionSetting:
        further = getattr(location, key, ()) if key in ("username", "password") else ()
        return ConnectionSetting(key, (f"{prefix}_{key.upper()}", *further), text, **kind)

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


def connect(service: Service, texts: Mapping[str, str]) -> tuple[dict[str, str], Access]:
    """Addresses and access of an external endpoint, from its settings by key.

    Nothing is connected yet; but what could never work is told here.

    Raises:
        Trouble: a setting is missing, cannot be understood, or contradicts another.
    """
    addresses, access = service.connect(texts, access_from(service, texts))
    access.hide_secrets()
    if access.tls:
        _check_files(service, access)
        return addresses, access
    for key in _OF_TLS:
        if getattr(access, key):
            raise _wrong(
                service, key, "has no meaning", "the connection is not encrypted (tls is off)",
                f"set tls = true, or leave {key} out",
            )  # fmt: skip
    return addresses, access


def access_from(service: Service, texts: Mapping[str, str]) -> Access:
    """What the common settings say, e.g. ``{"tls": "yes", "username": "qa"}``.

    Raises:
        Trouble: a value cannot be understood, or a file cannot be read.
    """

    def text(key: str) -> str:
        return texts.get(key, "")

    for key in _OF_TLS:
        if text(key):
            _content(service, key, text(key))
    return Access(
        tls=flag(service, texts, "tls", default=False),
        ca_file=text("ca_file"),
        certificate_file=text("certificate_file"),
        key_file=text("key_file"),
        key_password=_secret(service, "key_password", texts),
        verify_hostname=flag(service, texts, "verify_hostname", default=True),
        username=text("username"),
        password=_secret(service, "password", texts),
    )


def flag(service: Service, texts: Mapping[str, str], key: str, *, default: bool) -> bool:
    """A setting that is yes or no.

    Raises:
        Trouble: it is something else.
    """
    try:
        return values.flag(texts[key]) if key in texts else default
    except ValueError as error:
        raise _wrong(service, key, f"cannot be {texts[key]!r}", str(error)) from None


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
            f"correct it; `stackproof doctor {service.name}` shows where it comes from",
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


def host_and_port(service: Service, key: str, address: str) -> tuple[str, int]:
    """The parts of ``host:port``; an IPv6 address stands in brackets.

    Raises:
        Trouble: it is not of this form.
    """
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16 or "/" in host:
        raise _wrong(service, key, f"cannot be {address!r}", "host:port is expected")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _check_files(service: Service, access: Access) -> None:
    """Load them as a client would: mistakes are told with the file's name."""
    if access.key_file and not access.certificate_file:
        raise _wrong(service, "key_file", "has no meaning", "there is no certificate_file",
                     "name the certificate as well")  # fmt: skip
    try:
        tls_context(Access(tls=True, ca_file=access.ca_file))
    except (OSError, ValueError):
        raise _wrong(service, "ca_file", "cannot be used",
                     f"{access.ca_file} holds no certificate in PEM") from None  # fmt: skip
    try:
        tls_context(access)
    except ssl.SSLError as error:
        raise _wrong(service, "certificate_file", "cannot be used", _why_unusable(access, error),
                     "correct certificate_file, key_file or key_password") from None  # fmt: skip
    except (OSError, ValueError) as error:
        raise _wrong(service, "certificate_file", "cannot be used", str(error)) from None


def _why_unusable(access: Access, error: ssl.SSLError) -> str:
    if "MISMATCH" in (error.reason or ""):
        return f"the key in {access.key_file} is not that of {access.certificate_file}"
    if access.key_password or "ENCRYPTED" in Path(
        access.key_file or access.certificate_file
    ).read_text(encoding="utf-8", errors="replace"):
        return f"{access.key_file}: key_password is missing or wrong, or it holds no key in PEM"
    if not access.key_file:
        return f"{access.certificate_file} holds no key, and no key_file is named"
    return f"{access.certificate_file}, {access.key_file}: {error.reason or error}"


def _secret(service: Service, key: str, texts: Mapping[str, str]) -> str:
    if texts.get(key):
        return texts[key]
    file = texts.get(f"{key}_file")
    if not file:
        return ""
    # Editors end a file with a line break; blanks may be meant.
    secret = _content(service, f"{key}_file", file).strip("\r\n")
    if not secret.strip():
        raise _wrong(service, f"{key}_file", "holds nothing", f"{file} is empty", "fill it")
    register_secret(secret)
    return secret


def _content(service: Service, key: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise _wrong(service, key, "cannot be read", f"{file}: {error.strerror}",
                     "correct the path or its permissions") from error  # fmt: skip
    except UnicodeDecodeError:
        raise _wrong(service, key, "cannot be read", f"{file} is no text in UTF-8",
                     "certificates and keys are expected as PEM") from None  # fmt: skip


def _wrong(service: Service, key: str, what: str, why: str, remedy: str = "correct it") -> Trouble:
    return Trouble(f"services.{service.name}.{key} {what}", why, remedy)
