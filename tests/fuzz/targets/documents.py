"""What is fetched or shown by others: MTA-STS policies, lists of recipients, certificates, names in a handshake."""

import base64

from mailsuite.delivery.certificate_names import certifies
from mailsuite.delivery.der import matches, public_key_info
from mailsuite.delivery.mta_sts_policy import PolicyError, parse_policy, policy_id
from mailsuite.dns import TLSA
from mailsuite.policy.backup_list import BadKey, BadList, claimed_domain, parse_key, read
from mailsuite.transport.client_tls import server_name
from tests.fuzz.target import Target
from tests.policy.lists import KEY, OURS, signed_list

MAGIC = signed_list()[: signed_list().index(b"\n") + 1]


def run(data: bytes) -> None:
    """Every reader reads the same octets."""
    text = data.decode("utf-8", "replace")
    _policy(data, text)
    _list(data)
    _certificate(data)
    try:
        assert len(parse_key(text)) == 32
    except BadKey:
        pass
    assert len(server_name(text)) <= 253


def _policy(data: bytes, text: str) -> None:
    try:
        policy = parse_policy(data)
    except PolicyError:
        pass
    else:
        policy.allows("mx.example.org")
    try:
        policy_id([text, "v=STSv1; id=1"])
    except PolicyError:
        pass


def _list(data: bytes) -> None:
    # As its owner has signed it: else nothing behind the signature is ever reached.
    signature = base64.b64encode(OURS.sign(MAGIC + data))
    for document in (data, MAGIC + signature + b"\n" + data):
        try:
            claimed_domain(document)
        except BadList:
            pass
        try:
            read(document, KEY)
        except BadList:
            pass


def _certificate(data: bytes) -> None:
    certifies(data, ["mx.example.org", "192.0.2.1"], common_name=True)
    assert not matches(TLSA(3, 1, 9, b""), data)
    try:
        assert public_key_info(data) in data
    except ValueError:
        pass


PART = Target("documents", run)
