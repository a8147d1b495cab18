"""Where an endpoint of a service is, as people say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from stackproof.access import Access
from stackproof.errors import Trouble
from stackproof.services.base import DIRECTORY, ConnectionSetting, Service
from stackproof.services.external import logged_in, number, read_url, required, url_text
from stackproof.urls import ServiceUrl, host_and_port


@dataclass(frozen=True)
class Location:
    """How the endpoint of a service is named by people, in a URL or by parts.

    Attributes:
        plain: URL schemes without TLS, the usual one first.
        encrypted: those with TLS.
        path: what follows the slash of a URL: key of its setting, e.g. "database"; empty: nothing.
        variables: environment variables by key: url, host, port and that of the path.
        default_path: where nothing says it.
        default_is_implied: it is left out of addresses.
        path_is_number: it must be one.
        encrypted_port: the usual one with TLS; 0: the same.
        several: key of the setting that names several nodes, comma-separated; empty: there is none.
        others: what else it listens for, by role (also the key of its setting), and the variables
            that name it; ``host:port`` or a URL.
        username: variables by which its field names a user, besides those of every service.
        password: the same of that user's password.
        directory: variables that name the directory of this machine in which its server reads
            what scenarios change while it runs; empty: it reads nothing.
    """

    plain: tuple[str, ...]
    encrypted: tuple[str, ...]
    path: str
    variables: Mapping[str, tuple[str, ...]]
    default_path: str = ""
    default_is_implied: bool = False
    path_is_number: bool = False
    encrypted_port: int = 0
    several: str = ""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    username: tuple[str, ...] = ()
    password: tuple[str, ...] = ()
    directory: tuple[str, ...] = ()

    def settings(self, port: int) -> Sequence[ConnectionSetting]:
        """What people can set; ``port``: the usual one."""
        known = self.variables
        example = f"{self.plain[0]}://user:password@host:port" + f"/{self.path}" * bool(self.path)
        example += "".join(f", or {scheme}://" for scheme in self.encrypted)
        with_tls = f", with TLS {self.encrypted_port}" if self.encrypted_port else ""
        files = tuple(f"{name}_FILE" for name in known["url"])
        paths = [
            ConnectionSetting(
                self.path, known[self.path], f"default: {self.default_path or 'none'}"
            )
        ] if self.path else []  # fmt: skip
        several = [
            ConnectionSetting(
                self.several, known[self.several], "host:port or URLs of its nodes, comma-separated"
            )
        ] if self.several else []  # fmt: skip
        others = [
            ConnectionSetting(role, variables, f"where its {role} is, host:port or a URL; default: "
                              "the same host, the usual port")
            for role, variables in self.others.items()
        ]  # fmt: skip
        if self.directory:
            others.append(
                ConnectionSetting(DIRECTORY, self.directory, "where scenarios may put files that "
                                  "the server reads while it runs", is_file=True)
            )  # fmt: skip
        return (
            ConnectionSetting("url", known["url"], example, secret=True),
            ConnectionSetting("url_file", files, "file that holds it", is_file=True),
            ConnectionSetting("host", known["host"], "where the server is, if no URL says it"),
            ConnectionSetting("port", known["port"], f"its port; default: {port}{with_tls}"),
            *several,
            *paths,
            *others,
        )

    def read(
        self, service: Service, texts: Mapping[str, str], access: Access, *, usual: int
    ) -> tuple[str, Access]:
        """Address (``host:port``, and the path in the form of a URL's) and access.

        Args:
            service: whose endpoint it is.
            texts: its settings, by key.
            access: what the settings of every service say.
            usual: the port without TLS, where nothing says it.

        Raises:
            Trouble: a setting is missing or cannot be understood.
        """
        text = url_text(service, texts)
        url = (
            read_url(service, text, (*self.plain, *self.encrypted)) if text else ServiceUrl("", "")
        )
        access = logged_in(access, url, tls=url.scheme in self.encrypted)
        host = url.host or required(service, texts, "host")
        if access.tls and self.encrypted_port:
            usual = self.encrypted_port
        port = number(service, "port", url.port or texts.get("port") or usual)
        path = url.path or texts.get(self.path) or self.default_path
        if path and not self.path:
            raise Trouble(
                f"the URL of {service.title} cannot be used", "it has a path, which means nothing",
                f"leave out what follows {host_and_port(host, port)}",
            )  # fmt: skip
        if self.path_is_number:
            path = str(number(service, self.path, path))
        return host_and_port(host, port) + self.suffix(path), access

    def each(
        self, service: Service, texts: Mapping[str, str], access: Access, *, usual: int
    ) -> tuple[list[str], Access]:
        """The addresses of all nodes that are named, as `read` gives one.

        Raises:
            Trouble: a setting is missing, cannot be understood, or says it twice.
        """
        listed = texts.get(self.several, "") if self.several else ""
        if not listed:
            address, access = self.read(service, texts, access, usual=usual)
            return [address], access
        if also := next((key for key in ("url", "url_file", "host") if texts.get(key)), ""):
            raise Trouble(
                f"where {service.title} can be reached is said twice",
                f"services.{service.name}.{self.several} and services.{service.name}.{also} are "
                "both set",
                "take one of them away (`stackproof doctor` shows where each comes from)",
            )
        nodes, _, path = listed.partition("/") if "://" not in listed else (listed, "", "")
        shared = {key: text for key, text in texts.items() if key != "port"}
        if path:
            shared[self.path or "path"] = path
        found = []
        for one in nodes.split(","):
            url = one.strip() if "://" in one else f"{self.plain[0]}://{one.strip()}"
            address, access = self.read(service, {**shared, "url": url}, access, usual=usual)
            found.append(address)
        return found, access

    def suffix(self, path: str) -> str:
        """What follows ``host:port`` in the address of what lies at a path."""
        implied = self.default_is_implied and path == self.default_path
        return f"/{quote(path, safe='')}" if path and not implied else ""
