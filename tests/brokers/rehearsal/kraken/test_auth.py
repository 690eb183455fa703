"""Keys, signatures and nonces over the wire."""

from __future__ import annotations

import base64
from typing import Any

import ccxt
import pytest

from brokers.rehearsal.kraken.auth import Keys, new_keys, signature
from config.errors import Refusal
from tests.brokers.rehearsal.kraken.market import Client, Wire, served, trading


def test_the_signature_is_that_of_krakens_documentation() -> None:
    secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
    body = b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
    assert signature(base64.b64decode(secret), "/0/private/AddOrder", "1616492376594", body) == (
        "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    )


def test_keys_have_krakens_form() -> None:
    key, secret = new_keys()
    assert (len(key), len(base64.b64decode(secret))) == (56, 64)
    assert new_keys() != new_keys()
    with pytest.raises(Refusal, match="base64"):
        Keys({"key": "no base64"})


def test_who_may_ask() -> None:
    with served() as server:
        wire = Wire(server)
        assert wire.private("Balance")["error"] == []
        assert wire.send("Balance", "nonce=1", "1", **{"API-Key": "unknown"}) == {"error": ["EAPI:Invalid key"]}
        wire.nonce += 1
        signed_for_another = wire.send("Balance", f"nonce={wire.nonce}", str(wire.nonce - 1))
        assert signed_for_another == {"error": ["EAPI:Invalid signature"]}
        text = f"nonce={wire.nonce}"
        assert wire.send("Balance", text, str(wire.nonce))["error"] == []
        assert wire.send("Balance", text, str(wire.nonce)) == {"error": ["EAPI:Invalid nonce"]}
        older = wire.nonce - 1
        assert wire.send("Balance", f"nonce={older}", str(older)) == {"error": ["EAPI:Invalid nonce"]}
        for nonce in ("", "-1", "1e9", "soon", str(2**64)):
            assert wire.send("Balance", f"nonce={nonce}", nonce) == {"error": ["EAPI:Invalid nonce"]}, nonce
        assert wire.private("NoSuchMethod") == {"error": ["EGeneral:Unknown method"]}
        assert wire.public("NoSuchMethod") == {"error": ["EGeneral:Unknown method"]}
        assert server.unauthorized == 1


def test_each_key_has_a_nonce_of_its_own() -> None:
    key, secret = new_keys()
    with trading(other_keys={key: secret}) as (server, first):
        second: Any = Client(server, apiKey=key, secret=secret)
        second._count = 1
        first.fetch_balance()
        second.fetch_balance()
        assert {server.key, key} <= set(server.request_counts)


def test_ccxts_own_milliseconds_are_refused_when_two_calls_share_one() -> None:
    with trading() as (_, client):
        client.nonce = lambda: 1_795_891_200_000
        client.fetch_balance()
        with pytest.raises(ccxt.InvalidNonce):
            client.fetch_balance()


def test_a_refused_signature_uses_up_no_nonce() -> None:
    with served() as server:
        wire = Wire(server)
        nonce = str(wire.nonce + 10)
        assert wire.send("Balance", f"nonce={nonce}", "1")["error"] == ["EAPI:Invalid signature"]
        assert wire.send("Balance", f"nonce={nonce}", nonce)["error"] == []
