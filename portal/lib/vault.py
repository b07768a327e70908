"""Secrets that must be read again, sealed under a key derived from SECRET_KEY."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12  # bytes, as AES-GCM wants it


class Sealed(Exception):
    """It can't be opened: changed, somebody else's, or sealed under another SECRET_KEY."""


def seal(secret: bytes, *, key: str, purpose: str, owner: str) -> bytes:
    """Encrypted and authenticated; only the same purpose and owner open it again."""
    nonce = os.urandom(NONCE)
    return nonce + _cipher(key, purpose).encrypt(nonce, secret, owner.encode())


def unseal(sealed: bytes, *, key: str, purpose: str, owner: str) -> bytes:
    """What was sealed. Raises Sealed."""
    try:
        return _cipher(key, purpose).decrypt(sealed[:NONCE], sealed[NONCE:], owner.encode())
    except (InvalidTag, ValueError):
        raise Sealed from None


def _cipher(key: str, purpose: str) -> AESGCM:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"aftersale {purpose}".encode()).derive(key.encode())
    return AESGCM(derived)
