"""Certificates of a moment: an authority, servers, clients; nothing of them outlives the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate with its chain, its key, and both in one."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Issues certificates into a directory.

    Attributes:
        file: whom clients must trust to trust what it issued.
    """

    def __init__(self, directory: Path, name: str = "authority"):
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._authority = trustme.CA(organization_name=name)
        self.file = directory / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def issue(
        self, name: str, *identities: str, common_name: str | None = None, password: str = ""
    ) -> Certificate:
        """A certificate for host names and addresses; its key encrypted if there is a password."""
        issued = self._authority.issue_cert(*identities, common_name=common_name)
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        # Java reads keys as PKCS#8 alone.
        key = load_pem_private_key(issued.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM,
            PrivateFormat.PKCS8,
            BestAvailableEncryption(password.encode()) if password else NoEncryption(),
        )
        files = [self._directory / f"{name}{kind}.pem" for kind in ("", "-key", "-both")]
        for file, content in zip(files, (chain, key, key + chain), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(content)
        return Certificate(*files)
