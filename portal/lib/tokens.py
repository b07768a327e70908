"""Secrets for links and sessions, and the references that people read aloud."""

import base64
import hashlib
import secrets

LINK_LENGTH = 28  # characters of base32: 140 bits
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def mint() -> str:
    """A new secret of 140 bits in lower-case base32, so that no mail program drops a trailing `-` or `_`."""
    return base64.b32encode(secrets.token_bytes(18)).decode().lower()[:LINK_LENGTH]


def digest(token: str) -> bytes:
    """What is stored of a secret: its SHA-256. A look-up by digest has nothing to time."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def reference(length: int = 10) -> str:
    """A random public reference (50 bits at the default length); never a row's id, never a key by itself."""
    return base64.b32encode(secrets.token_bytes(length * 5 // 8 + 1)).decode().lower()[:length]
