"""Connections to LDAP servers (RFC 4511), encrypted and verified before anything is said."""

from collections.abc import Awaitable
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from ldaptor.protocols.ldap.ldapclient import LDAPClient
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS, platformTrust, trustRootFromCertificates

PORTS = {"ldap": 389, "ldaps": 636}


class LdapConnector:
    """Makes connections. *ca_file* (PEM) has the issuers that are trusted, empty: the system's; by ``ldap://``,
    *start_tls* says whether TLS is begun (RFC 4513 §3). Nobody may take longer than *timeout* seconds.

    Raises `OSError` or `ValueError` where *ca_file* is of no use.
    """

    def __init__(self, reactor: Any, ca_file: str, start_tls: bool, timeout: float) -> None:
        self._reactor = reactor
        self._start_tls = start_tls
        self._timeout = timeout
        self._trust = _issuers(ca_file) if ca_file else platformTrust()

    async def connect(self, url: str) -> Any:
        """Return a client of the server at *url* (`ldaptor.protocols.ldap.ldapclient.LDAPClient`).

        Raises whatever stood in the way; a certificate that is not the server's is found out by what is asked first.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        # RFC 4513 §3.1.3: the name that we were told, and not one that DNS has made of it.
        trusted = optionsForClientTLS(host, trustRoot=self._trust)
        endpoint: Any = HostnameEndpoint(self._reactor, host, port, timeout=self._timeout)
        if parts.scheme == "ldaps":
            endpoint = wrapClientTLS(trusted, endpoint)
        client = await endpoint.connect(_Clients())
        if parts.scheme == "ldap" and self._start_tls:
            begun: Awaitable[Any] = client.startTLS(trusted).addTimeout(self._timeout, self._reactor)
            try:
                await begun
            except BaseException:
                client.transport.abortConnection()
                raise
        return client


class _Clients(Factory):
    """Makes clients, and does not fill the log with each."""

    noisy = False
    protocol = LDAPClient


def _issuers(ca_file: str) -> Any:
    with open(ca_file, "rb") as file:
        found = x509.load_pem_x509_certificates(file.read())
    return trustRootFromCertificates([Certificate.loadPEM(each.public_bytes(Encoding.PEM)) for each in found])
