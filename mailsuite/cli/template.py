"""The configuration file of a new site: short, and it explains itself."""

from collections.abc import Mapping

from mailsuite.config.toml import value

_HEAD = """\
# The configuration of this mail site. Only what differs from the defaults is written here:
# etc/mailsuite.toml in the source shows every key. After a change: mailsuite check, then restart.

# The name by which this system greets others. In DNS it needs an address (A, AAAA), the address
# needs this name (PTR), and each mail domain needs an MX record that leads here.
hostname = {hostname}

# Accounts, mail and logs lie in this folder. The service runs as the owner of the folder.
state_dir = "."
"""

_ROOT = """
# This site was made by root, so the service may run as root. Better: make a user for it, give it
# this folder (chown -R USER .), delete this line and start with twistd --uid USER --gid GROUP:
# root is then dropped as soon as the ports are bound.
allow_root = true
"""

_TLS = """
# Self-signed to begin with. Put the files of a real certificate in their place (or write their
# paths here): they are taken up while the service runs.
[tls]
certificate = "cert.pem"
key = "key.pem"

[directory]
# Mail for postmaster and abuse of every domain goes here, unless the domain has its own mailbox.
postmaster = {postmaster}
"""

_LISTENERS = {
    "mta": ("Mail from other servers, for our own domains only.", "mta", "starttls"),
    "submission": ("Mail from our users, by password, under TLS that the client asks for.",
                   "submission", "starttls"),
    "submissions": ("The same, under TLS from the first octet.", "submission", "implicit"),
    "pop3": ("Our users' mailboxes, under TLS that the client asks for.", "pop3", "starttls"),
    "pop3s": ("The same, under TLS from the first octet.", "pop3", "implicit"),
}


def site_text(hostname: str, endpoints: Mapping[str, str], postmaster: str, allow_root: bool) -> str:
    """Return the file's text; *endpoints* gives the endpoint string of each listener by name."""
    parts = [_HEAD.format(hostname=value(hostname))]
    if allow_root:
        parts.append(_ROOT)
    parts.append(_TLS.format(postmaster=value(postmaster)))
    for name, (about, service, tls) in _LISTENERS.items():
        parts.append(
            f"\n# {about}\n[listen.{name}]\n"
            f"service = {value(service)}\nendpoint = {value(endpoints[name])}\ntls = {value(tls)}\n"
        )
    return "".join(parts)
