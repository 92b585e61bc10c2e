"""Where accounts are kept beside our own file: a table for each other back end of ``[directory]``."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailsuite.config.section import Section, below, written

_DOMAINS = written("a list of domain names")


class PostgreSQL(Section, frozen=True, kw_only=True):
    """Accounts in PostgreSQL: for backend = "postgresql" of [directory]."""

    dsn: Annotated[str, Meta(
        examples=["host=db1,db2 dbname=mail user=mail target_session_attrs=read-write"],
        description="How the server is reached, as libpq takes it; name every node of a cluster. The password may be"
                    " in the file that passfile= names.",
    )] = ""
    connections: Annotated[int, Meta(
        ge=1, le=100,
        description="Connections for lookups, each with a thread; one more only listens for changes.",
    )] = 4
    poll: Annotated[float, Meta(
        gt=0, le=3600,
        description="Seconds between looks for changes, should the server's word of one be lost.",
    )] = 2.0
    timeout: Annotated[float, Meta(
        gt=0, le=60,
        description="Seconds that the server may take for an answer; whoever is not known from before is told to come"
                    " again then.",
    )] = 3.0


class LDAP(Section, frozen=True, kw_only=True):
    """Accounts in an LDAP directory, which is only read: for backend = "ldap" of [directory]."""

    servers: Annotated[list[str], Meta(
        extra=written("a list of URLs such as ldap://ldap.example.org or ldaps://ldap.example.org"),
        examples=[["ldap://ldap1.example.org", "ldap://ldap2.example.org"]],
        description="The servers, each tried when those before it do not answer.",
    )] = msgspec.field(default_factory=list)
    start_tls: Annotated[bool, Meta(
        description="Whether a connection by ldap:// is encrypted before anything is said; false only where nobody"
                    " else can listen.",
    )] = True
    ca_file: Annotated[str, Meta(
        extra=below("config"),
        description="PEM file with the issuers of certificates that are trusted for the servers; empty means the"
                    " system's.",
    )] = ""
    bind_dn: Annotated[str, Meta(
        examples=["cn=mail,dc=example,dc=org"],
        description="The entry as which we ask; empty means that everybody may ask.",
    )] = ""
    password_file: Annotated[str, Meta(
        extra=below("config"),
        description="File with the password of that entry.",
    )] = ""
    base: Annotated[str, Meta(
        examples=["ou=people,dc=example,dc=org"],
        description="The entry below which users are.",
    )] = ""
    domains: Annotated[list[str], Meta(
        extra=_DOMAINS, examples=[["example.org"]],
        description="The domains whose mail ends here, the primary one first.",
    )] = msgspec.field(default_factory=list)
    object_class: Annotated[str, Meta(
        examples=["inetOrgPerson"],
        description="What an entry has to be; empty means anything.",
    )] = ""
    login_attribute: Annotated[str, Meta(
        min_length=1,
        description="The attribute with the address by which a user logs in, and by which the mailbox is named.",
    )] = "mail"
    address_attributes: Annotated[list[str], Meta(
        extra=written("a list of attributes"),
        description="Attributes with the addresses whose mail a user gets; @example.org stands for the others of that"
                    " domain.",
    )] = msgspec.field(default_factory=lambda: ["mail", "mailLocalAddress"])
    target_attribute: Annotated[str, Meta(
        examples=["mailRoutingAddress"],
        description="The attribute with the addresses to which the mail of an entry goes instead; empty means none.",
    )] = ""
    suspended_attribute: Annotated[str, Meta(
        examples=["nsAccountLock"],
        description="An attribute that, where an entry has it and not as FALSE, refuses login and mail; empty means"
                    " none.",
    )] = ""
    quota_attribute: Annotated[str, Meta(
        examples=["mailQuota"],
        description="An attribute with the octets that an entry's mailbox may hold, such as 2G, 500M or 1073741824;"
                    " empty means none.",
    )] = ""
    check: Annotated[Literal["bind", "hash"], Meta(
        description="How a password is checked: by binding with it, or against the hash in userPassword, which the"
                    " entry that we ask as must be allowed to read.",
    )] = "bind"
    timeout: Annotated[float, Meta(
        gt=0, le=60,
        description="Seconds that a server may take for an answer.",
    )] = 5.0


class PasswdFile(Section, frozen=True, kw_only=True):
    """Accounts in a passwd-file as Dovecot has it, which is only read: for backend = "passwd-file" of [directory]."""

    path: Annotated[str, Meta(
        min_length=1, extra=below("config"),
        description="The file: user:{SCHEME}hash:uid:gid:gecos:home:shell:extra_fields; it is read again when it has"
                    " changed.",
    )] = "users"
    domains: Annotated[list[str], Meta(
        extra=_DOMAINS, examples=[["example.org"]],
        description="The domains whose mail ends here, the primary one first; a user without a domain is of that one.",
    )] = msgspec.field(default_factory=list)
