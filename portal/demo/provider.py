"""A stand-in for a shop's own sign-in (OpenID Connect): it vouches for whoever is clicked on.

It models discovery, the code flow with PKCE, codes that work once for a minute, the client's secret, signed ID tokens.
It does not model passwords, sessions of its own, consent, refresh tokens, user info or changed keys. It can lie: `lie`
names what is wrong with the next tokens.
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Blueprint, abort, current_app, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from portal.lib import clock

CLIENT_ID, CLIENT_SECRET, NAME = "aftersale", "the-demo-provider-s-secret", "Lantern ID"
PATH, LASTS = "/provider", 60
bp = Blueprint("provider", __name__, url_prefix=PATH)


@dataclass(frozen=True, slots=True)
class Person:
    """Who can be clicked on."""

    subject: str
    email: str
    name: str


@dataclass
class Provider:
    """What it knows, and how it lies. `amr` are the methods that it says somebody showed."""

    address: str
    people: tuple[Person, ...]
    amr: tuple[str, ...] = ("pwd",)
    lie: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    codes: dict[str, tuple[Person, Mapping[str, str], float]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return self.address + PATH


def provider() -> Provider:
    known: Provider = current_app.config["PROVIDER"]
    return known


@bp.get("/.well-known/openid-configuration")
def describe() -> ResponseReturnValue:
    issuer = provider().issuer
    return jsonify(
        issuer="https://else.example" if provider().lie == "issuer of all" else issuer,
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint="http://else.example/token" if provider().lie == "unencrypted" else f"{issuer}/token",
        jwks_uri=f"{issuer}/keys",
        response_types_supported=["code"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"],
    )


@bp.get("/keys")
def keys() -> ResponseReturnValue:
    return jsonify(KeySet([provider().key]).as_dict(private=False))


@bp.get("/authorize")
def choose() -> ResponseReturnValue:
    """Everybody who may be clicked on."""
    asked = request.args
    if asked.get("client_id") != CLIENT_ID or asked.get("code_challenge_method") != "S256":
        abort(400)
    return render_template("outside/provider.html", people=provider().people, asked=asked, name=NAME)


@bp.get("/authorize/<subject>")
def sign_in(subject: str) -> ResponseReturnValue:
    """This one was clicked on; an unknown one says no."""
    asked = request.args.to_dict()
    back, state = asked["redirect_uri"], asked["state"]
    person = next((person for person in provider().people if person.subject == subject), None)
    if person is None:
        return redirect(f"{back}?error=access_denied&state={state}", 303)
    code = secrets.token_urlsafe(24)
    provider().codes[code] = (person, asked, clock.now().timestamp())
    return redirect(f"{back}?code={code}&state={state}", 303)


@bp.post("/token")
def token() -> ResponseReturnValue:
    """The code is used up, whatever comes of it."""
    person, asked, made_at = provider().codes.pop(request.form.get("code", ""), (None, {}, 0.0))
    wanted = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    good = (
        person is not None
        and clock.now().timestamp() - made_at < LASTS
        and request.headers.get("Authorization") == f"Basic {wanted}"
        and request.form.get("redirect_uri") == asked["redirect_uri"]
        and create_s256_code_challenge(request.form.get("code_verifier", "")) == asked["code_challenge"]
    )
    if not good or person is None:
        return jsonify(error="invalid_grant"), 400
    access = secrets.token_urlsafe(24)
    return jsonify(access_token=access, token_type="Bearer", expires_in=60, id_token=id_token(person, asked))


def id_token(person: Person, asked: Mapping[str, str]) -> str:
    """What it vouches for, or the lie that it was told to tell."""
    now, known = int(clock.now().timestamp()), provider()
    claims: dict[str, Any] = {
        "iss": known.issuer, "sub": person.subject, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "auth_time": now,
        "nonce": asked.get("nonce"), "email": person.email, "email_verified": True, "name": person.name,
        "amr": list(known.amr),
    }  # fmt: skip
    claims |= LIES.get(known.lie, lambda _now: {})(now)
    header = {"alg": "RS256", "kid": known.key.kid}
    if known.lie == "unsigned":
        return ".".join((*(_plain(part) for part in ({"alg": "none"}, claims)), ""))
    if known.lie == "signed with what all know":
        return jwt.encode({"alg": "HS256"}, claims, _public_as_secret(known.key), algorithms=["HS256"])
    if known.lie == "another's key":
        return jwt.encode(header, claims, RSAKey.generate_key(2048, {"kid": "one"}))
    return jwt.encode(header, {name: value for name, value in claims.items() if value is not None}, known.key)


LIES: Mapping[str, Any] = {
    "nonce": lambda _now: {"nonce": "of another sign-in"},
    "no nonce": lambda _now: {"nonce": None},
    "audience": lambda _now: {"aud": "another-shop"},
    "audience, asked by us": lambda _now: {"aud": "another-shop", "azp": CLIENT_ID},
    "two audiences": lambda _now: {"aud": ["another-shop", CLIENT_ID], "azp": "another-shop"},
    "issuer": lambda _now: {"iss": "https://else.example"},
    "expired": lambda now: {"exp": now - 120, "iat": now - 400},
    "of tomorrow": lambda now: {"iat": now + 90_000, "nbf": now + 90_000},
    "shown long ago": lambda now: {"auth_time": now - 3600},
    "shown when": lambda _now: {"auth_time": None},
    "nobody": lambda _now: {"sub": ""},
    "unverified": lambda _now: {"email_verified": False},
    "half verified": lambda _now: {"email_verified": "true"},
    "another address": lambda _now: {"email": "somebody@else.example"},
}


def _plain(part: Any) -> str:
    text = jsonify(part).get_data()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _public_as_secret(key: RSAKey) -> OctKey:
    """The oldest trick: what everybody can read, taken for a shared secret."""
    return OctKey.import_key(key.as_pem(private=False)[30:-30])
