import pytest

from config.values.masker import MASK, masked
from config.values.masking import redacted

PLANTED = [
    "PKABCDEFGH0123456789",
    "AKIAIOSFODNN7EXAMPLEX",
    "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12",
    "hunter2secret",
    "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
]


@pytest.mark.parametrize(
    "text",
    [
        f"key {PLANTED[0]} refused",
        f'{{"reason": "{PLANTED[1]}"}}',
        f"secret: {PLANTED[2]}",
        f"<td>{PLANTED[2]}</td>",
        f"postgresql://trader:{PLANTED[3]}@127.0.0.1/journal",
        f"password={PLANTED[3]}",
        f'"api_key": "{PLANTED[3]}"',
        f"tgram://{PLANTED[4]}/12345",
    ],
)
def test_what_looks_like_a_secret_is_masked(text):
    found = masked(text)
    assert MASK in found
    assert not any(word in found for word in PLANTED)


def test_an_account_number_that_is_known_is_masked():
    assert masked("account PA3XYZ, PA3XYZ", "PA3XYZ") == f"account {MASK}, {MASK}"


@pytest.mark.parametrize(
    "text",
    [
        "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with / @ : ? # % of a password percent-encoded",
        "write e.g. tgram://TOKEN/CHAT, ntfy://TOPIC, mailto://USER:PASSWORD@HOST or json://HOST:PORT/",
    ],
)
def test_examples_of_a_refusal_can_be_read(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://USER:PASSWORD@me:hunter22@host/db",
        "USER:PASSWORD@HOST:hunter22/db",
        "postgresql:USER:hunter22@HOST",
    ],
)
def test_nothing_hides_behind_an_example(text):
    assert "hunter22" not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "RSI(14) 25.1, oversold below 30; stop 161.60 = 165.72 - 3 x 1.37 ATR",
        "combined-QQQ-20220314T141044-entry-0-512379c7754ecd1d",
        "baf3897a-3e70-416a-9548-5822de1b372a",
        "a" * 64,
        "http://127.0.0.1:8787/decisions?symbol=AMD",
        "EXPOSURE_BUDGET: day 2/2 positions",
    ],
)
def test_what_people_have_to_read_stays(text):
    assert masked(text) == text
