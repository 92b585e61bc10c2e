"""Who has a mailbox here, and how users log in."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailsuite.config.section import Section, below, written

SecretKind = Literal["scram-sha-256", "scram-sha-1", "cram-md5", "digest-md5", "apop"]


class Directory(Section, frozen=True, kw_only=True):
    """Accounts: which domains, mailboxes, aliases and passwords there are."""

    backend: Annotated[str, Meta(
        pattern=r"^(sqlite|postgresql|ldap|passwd-file|[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*)$",
        extra=written('"sqlite", "postgresql", "ldap", "passwd-file" or a Python object as module:name'),
        description="Where accounts are kept: in our own file, or in what a table of that name tells; a Python object"
                    " makes a back end of the site's own.",
    )] = "sqlite"
    options: Annotated[str, Meta(
        description="What a back end of the site's own is told.",
    )] = ""
    path: Annotated[str, Meta(
        min_length=1, extra=below("state_dir"),
        description="The accounts database, below state_dir, for backend = \"sqlite\".",
    )] = "accounts.sqlite"
    postmaster: Annotated[str, Meta(
        extra=written("an address such as postmaster@example.org, or an empty string"),
        examples=["postmaster@example.org"],
        description="Mailbox for postmaster and abuse of a domain that has none of its own (RFC"
                    " 2142).",
    )] = ""
    cache_ttl: Annotated[float, Meta(
        ge=0, le=86_400,
        description="Seconds for which an answer about an address or a login is used again while no change is known;"
                    " one that says no, 10 s at most.",
    )] = 60.0
    cache_stale: Annotated[float, Meta(
        ge=0, le=2_592_000,
        description="Seconds for which those who were known go on being served while what keeps the accounts is away.",
    )] = 86_400.0
    password_cache: Annotated[float, Meta(
        ge=0, le=86_400,
        description="Seconds for which a right password is remembered, as a hash by a key that only this process has:"
                    " programs that look for mail every minute cost no slow hash each time. A new password counts at"
                    " once. 0 remembers none.",
    )] = 3600.0
    hash_threads: Annotated[int, Meta(
        ge=1, le=64,
        description="Threads that verify passwords; each uses up to 64 MiB of memory at work.",
    )] = 2
    renew_hashes: Annotated[bool, Meta(
        description="Whether a password that is stored in an older form is hashed anew when its owner logs in; false"
                    " while another server uses what is stored.",
    )] = True


class SASL(Section, frozen=True, kw_only=True):
    """Logging in other than by a password that crosses the wire."""

    secrets: Annotated[list[SecretKind], Meta(
        extra=written('a list of "scram-sha-256", "scram-sha-1", "cram-md5", "digest-md5", "apop"'),
        description="What is kept of a password beside its hash, so that these mechanisms can be offered; made when a"
                    " password is changed, or crosses the wire. With what CRAM-MD5 and DIGEST-MD5 need one can log in,"
                    " and guess at passwords quickly; apop is the password itself: keep these only where old clients"
                    " have to be served.",
    )] = msgspec.field(default_factory=lambda: ["scram-sha-256", "scram-sha-1"])
    offer: Annotated[Literal["all", "some"], Meta(
        description="When a mechanism that needs secrets is offered: once all who have a password have theirs, or at"
                    " once; then whoever has none yet cannot log in by a client that prefers it.",
    )] = "all"
    scram_iterations: Annotated[int, Meta(
        ge=4096, le=100_000,
        description="How often SCRAM hashes a password: more make stolen keys dearer, and each login of a client"
                    " slower (RFC 7677 §4).",
    )] = 20_000
    certificates: Annotated[str, Meta(
        extra=below("config"),
        examples=["certificates.list"],
        description="File that says whose a client's certificate is (EXTERNAL), for listeners that ask for them: each"
                    " line has the SHA-256 of a certificate in hex and an address; read again on SIGHUP.",
    )] = ""
    certificate_addresses: Annotated[bool, Meta(
        description="Whether a certificate that client_ca of [tls] trusts is that of the address in its subject"
                    " alternative name: then its issuers decide who may log in as whom.",
    )] = False


class OAuth(Section, frozen=True, kw_only=True):
    """Logging in by bearer tokens (OAUTHBEARER, XOAUTH2), which an issuer gives to our users."""

    keys: Annotated[str, Meta(
        extra={**written("an https URL, a path name, or an empty string"), **below("config")},
        examples=["https://id.example.org/jwks.json"],
        description="The issuer's public keys (JWKS), by which signed tokens (JWT) are judged: an https URL or a"
                    " file.",
    )] = ""
    introspection: Annotated[str, Meta(
        extra=written("an https URL, or an empty string"),
        examples=["https://id.example.org/introspect"],
        description="Where the issuer is asked about tokens that say nothing to us (RFC 7662).",
    )] = ""
    client: Annotated[str, Meta(
        description="The name by which we ask there; empty means that no login is needed.",
    )] = ""
    secret_file: Annotated[str, Meta(
        extra=below("config"),
        description="File with the password that goes with that name.",
    )] = ""
    ca_file: Annotated[str, Meta(
        extra=below("config"),
        description="PEM file with the issuers of certificates that are trusted for these URLs; empty means the"
                    " system's.",
    )] = ""
    issuer: Annotated[str, Meta(
        examples=["https://id.example.org"],
        description="What a token must say of who issued it (iss); empty means that it is not looked at.",
    )] = ""
    audience: Annotated[str, Meta(
        examples=["mail"],
        description="For whom a token must be (aud); empty means that it is not looked at.",
    )] = ""
    scope: Annotated[str, Meta(
        examples=["mail"],
        description="Words that a token must have in its scope, separated by spaces.",
    )] = ""
    claim: Annotated[str, Meta(
        min_length=1,
        description="Where a token names its user, by an address that is a user here.",
    )] = "email"
