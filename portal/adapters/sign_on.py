"""The shop's own sign-in (OpenID Connect, by Authlib): where to send somebody, and who came back.

The code flow with PKCE, a state and a nonce of ours. Tokens are believed when they are signed by a key of the
provider's, in one of three ways that need a key pair, for us, in time, and about the sign-in that we asked for.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from portal.adapters import web
from portal.adapters.errors import Permanent

SIGNED_BY = ["RS256", "PS256", "ES256"]
LEEWAY = 60
"""Seconds that two clocks may differ by."""
LONGEST_AGO = timedelta(minutes=10)
"""How long ago somebody may have shown the provider who they are: as long as a sign-in of ours is fresh."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STRANGE = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What the libraries meet nonsense with."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Who vouches for the shop's people, and who we are there."""

    issuer: str
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class Described:
    """What the provider says of itself."""

    authorize_at: str
    token_at: str
    keys_at: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who came back. `email` only when the provider has verified it; `ways` are the methods and the class it names."""

    subject: str
    email: str
    shown_at: datetime
    ways: frozenset[str]


def describe(provider: Provider) -> Described:
    """Raises Permanent for nonsense, Temporary or Unknown when it does not answer."""
    found = _json(get_well_known_url(provider.issuer, external=True))
    if found.get("issuer") != provider.issuer:
        raise Permanent("it calls itself something else than OIDC_ISSUER")
    try:
        OpenIDProviderMetadata(found).validate_issuer()
    except ValueError as error:
        if urlsplit(provider.issuer).hostname not in LOOPBACK:
            raise Permanent(str(error)) from None
    ends = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    if not all(_may_be_asked(end) for end in ends):
        raise Permanent("its addresses are missing or not encrypted")
    return Described(*map(str, ends))


def _may_be_asked(address: object) -> bool:
    parts = urlsplit(address) if isinstance(address, str) else urlsplit("")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def way_there(described: Described, provider: Provider, back: str, *, state: str, nonce: str, verifier: str) -> str:
    """The address at which somebody shows the provider who they are, and comes `back` from."""
    asked = {
        "code_challenge": create_s256_code_challenge(verifier),
        "code_challenge_method": "S256",
        "max_age": str(int(LONGEST_AGO.total_seconds())),
        "nonce": nonce,
    }
    return str(
        prepare_grant_uri(
            described.authorize_at, provider.client_id, "code", back, "openid email profile", state, **asked
        )
    )


def redeem(
    described: Described, provider: Provider, code: str, back: str, *, nonce: str, verifier: str, now: datetime
) -> Identity:
    """Who it is that came back with this code. Raises Permanent for what is not to be believed, with the reason."""
    told = _exchanged(described, provider, code, back, verifier)
    ours = {"iss": provider.issuer, "aud": provider.client_id}
    if not isinstance(told.get("id_token"), str):
        raise Permanent("it sent no ID token")
    try:
        token = jwt.decode(told["id_token"], KeySet.import_key_set(_json(described.keys_at)), algorithms=SIGNED_BY)
        claims = CodeIDToken(
            token.claims,
            token.header,
            {name: {"essential": True, "value": value} for name, value in ours.items()},
            {"nonce": nonce, "client_id": provider.client_id, "access_token": told.get("access_token"), "max_age": 1},
        )
        claims.validate(int(now.timestamp()), LEEWAY)
        return _identity(claims, now)
    except STRANGE as error:
        raise Permanent(f"its token is not to be believed: {type(error).__name__}: {str(error)[:100]}") from None


def _identity(claims: Mapping[str, Any], now: datetime) -> Identity:
    shown_at = datetime.fromtimestamp(int(claims["auth_time"]), UTC)
    if not -timedelta(seconds=LEEWAY) <= now - shown_at <= LONGEST_AGO + timedelta(seconds=LEEWAY):
        raise ValueError("auth_time is too long ago")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise ValueError("sub")
    email = claims.get("email") if claims.get("email_verified") is True else ""
    ways = frozenset(str(way) for way in [*(claims.get("amr") or []), claims.get("acr") or ""])
    return Identity(claims["sub"][:255], str(email or "").strip().lower(), min(shown_at, now), ways)


def _exchanged(described: Described, provider: Provider, code: str, back: str, verifier: str) -> Mapping[str, Any]:
    who = f"{quote(provider.client_id, '')}:{quote(provider.client_secret, '')}".encode()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier}
    headers = {
        "Authorization": f"Basic {base64.b64encode(who).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    answer = web.call("POST", described.token_at, body=urlencode(form).encode(), headers=headers)
    return _read(answer)


def _json(address: str) -> Any:
    return _read(web.call("GET", address, headers={"Accept": "application/json"}))


def _read(answer: web.Answer) -> Any:
    try:
        found = json.loads(answer.body) if answer.status == 200 else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Permanent(f"it answered {answer.status}, with nothing that can be read")
    return found
