"""Keys are handed to nobody whose certificate is not believed: REST of both venues, and both streams."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from brokers.alpaca.client import VenueClient
from brokers.alpaca.http import Timeouts
from brokers.alpaca.quote_stream import AlpacaQuoteStream
from brokers.kraken.connection.nonce import Nonce
from brokers.kraken.connection.rates import TIERS, RateModel
from brokers.kraken.connection.rest import KrakenRest
from brokers.lumibot.trade_stream import TradeStream
from brokers.venue_errors import NotSent

KEY, SECRET = "PKTLS0123456789ABCDE", "c2VjcmV0LW9mLXRoZS10ZXN0"


class Listener:
    """Answers over TLS with a certificate that it signed itself, and keeps what it could read."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(7).not_valid_before(now - day).not_valid_after(now + day).add_extension(address, False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256())
        )  # fmt: skip
        self.certificate = folder / "own.pem"
        form = serialization.Encoding.PEM
        private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.certificate.write_bytes(certificate.public_bytes(form) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.read, self.knocks = list[bytes](), 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, args=[context], daemon=True).start()

    def _serve(self, context: ssl.SSLContext) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.knocks += 1
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.settimeout(2)
                    self.read.append(secure.recv(4096))
                    secure.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"id": "abc"}'[:-1])
            except OSError:
                continue


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    found = Listener(tmp_path)
    yield found
    found.socket.close()


def alpaca(listener: Listener) -> VenueClient:
    url = f"https://127.0.0.1:{listener.port}"
    return VenueClient(KEY, SECRET, paper=True, trading_url=url, data_url=url, timeouts=Timeouts(2.0, 2.0, 1.0))


def test_rest_believes_no_certificate_that_nobody_vouches_for(listener, tmp_path):
    client = alpaca(listener)
    for ask in (client.account, lambda: client.submit({"symbol": "SPY", "client_order_id": "x"})):
        client.trading.admit = lambda method, path, body: True
        with pytest.raises(NotSent, match="SSLError"):
            ask()
    kraken = KrakenRest(
        KEY, SECRET, nonce=Nonce(tmp_path / "nonce"), rates=RateModel(TIERS["pro"]), url=f"https://127.0.0.1:{listener.port}"
    )  # fmt: skip
    with pytest.raises(NotSent, match="SSLError"):
        kraken.request("Balance", "private", "POST")
    assert listener.knocks >= 3 and listener.read == []


def test_the_same_server_is_asked_once_somebody_vouches_for_it(listener, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(listener.certificate))
    with pytest.raises(Exception):  # noqa: B017  # what it answers is another test's
        alpaca(listener).account()
    assert any(KEY.encode() in read for read in listener.read)


def test_neither_do_the_streams(listener, caplog):
    caplog.set_level("INFO")
    url = f"wss://127.0.0.1:{listener.port}/stream"
    trades = TradeStream(
        KEY, SECRET, paper=True, url=url, on_event=lambda event, update: None, on_state=lambda up: None
    )
    prices = AlpacaQuoteStream(url, KEY, SECRET)
    threading.Thread(target=trades.run, daemon=True).start()
    prices.start(lambda symbol, bid, ask: None)
    deadline = time.monotonic() + 10
    while listener.knocks < 2 or "trade stream" not in caplog.text or "stream of prices" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    trades.stop()
    prices.stop()
    assert listener.read == []
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text and "SSLCertVerificationError" in caplog.text
