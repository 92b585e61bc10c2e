"""The key with which a primary signs its lists of recipients: made when it is first needed, and kept."""

import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mailsuite.durable import make_file
from mailsuite.policy.backup_list import BadKey
from mailsuite.policy.backup_store import FOLDER

_NAME = "signing.key"


def signing_key(state_dir: str) -> Ed25519PrivateKey:
    """Return the key of this site; it is made, for the owner's eyes only, where there is none. Blocks.

    Raises `BadKey` where the file holds something else, or `OSError`.
    """
    folder = os.path.join(state_dir, FOLDER)
    path = os.path.join(folder, _NAME)
    if not os.path.exists(path):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        made = Ed25519PrivateKey.generate()
        make_file(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with open(path, "rb") as file:
        pem = file.read()
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise BadKey(f"{path} is not a private key: restore it, or remove it for a new one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKey(f"{path} is not an Ed25519 key")
    return key
