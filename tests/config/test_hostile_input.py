"""What nobody would write by intention, in settings, addresses and key files: refused in a sentence, at once."""

from __future__ import annotations

import base64
import os
import re
from urllib.parse import quote

import pytest

from brokers.journal.database.address import parse_address
from config.errors import Refusal
from config.reading.dotenv import with_keys
from config.reading.loader import load
from config.values.masking import redacted, without_secrets

SECRET = "s3cret/Ke+y%zz99"
NAMES = frozenset({"ALPACA_API_KEY", "ALPACA_API_SECRET"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("!!int abc", "'int' is a tag"),
        ("!!set {a, b}", "'set' is a tag"),
        ("!!timestamp 2020-01-01", "'timestamp' is a tag"),
        ("!!binary gIGC", "'binary' is a tag"),
        ("!!python/object/apply:os.system [x]", "is a tag"),
        ("9" * 5_000, "a number of 5000 characters"),
        ("-" + "9" * 400, "a number of 401 characters"),
        ("0." + "1" * 400, "a number of 402 characters"),
        ("[" * 3_000, "nested more than"),
        ("{a: " * 200, "nested more than"),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_values_that_are_no_settings(tmp_path, text, told, by_file):
    path = tmp_path / "mine.yaml"
    path.write_text(f"account:\n  budget_usd: {text}\n")
    with pytest.raises(Refusal) as refused:
        load(files=[path] if by_file else [], overrides=[] if by_file else [f"account.budget_usd={text}"])
    assert told in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize("key", [".".join("a" * 3_000), "a" * 5_000, ".".join(["risk"] * 40)])
def test_keys_that_are_no_keys(key):
    with pytest.raises(Refusal, match="its key is too long") as refused:
        load(overrides=[f"{key}=1"])
    assert len(str(refused.value)) < 200


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    with pytest.raises(Refusal, match="is no ordinary file"):
        load(files=[pipe])
    with pytest.raises(Refusal, match="is no ordinary file"):
        with_keys({}, pipe, NAMES)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql:usr:hunter2",
        "postgresql:/usr:hunter2@host/db",
        "postgresql//usr:hunter2@host/db",
        "postgres usr:hunter2@host",
        "//usr:hunter2@host/db",
        "usr:hunter2@host/db",
        "mysql:hunter2",
        "postgresql:hunter2",
    ],
)
def test_a_mistyped_address_never_becomes_a_file(address):
    with pytest.raises(Refusal) as refused:
        parse_address(address)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("path", ["state/journal.sqlite3", "/tmp/a:b/journal", "./odd:name", "journal"])
def test_a_plain_path_stays_one(path):
    assert str(parse_address(path).path) == path.removeprefix("./")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:hunter2@host/db",
        "postgresql://user:hun/ter2@host/db",
        "postgresql://user:hunter2@x@host/db",
        "user:hunter2/W@host",
        "postgresql:usr:hunter2",
        "at https://user:hunter2@host, and more",
        '"ws://key:hunter2@127.0.0.1/stream"',
    ],
)
def test_a_password_is_masked_in_every_spelling(text):
    assert "hunter2" not in redacted(text).replace("hun/ter2", "hunter2")


def test_what_is_no_password_is_left():
    for text in (
        "10:30 to 15:55",
        "broker.alpaca.trading_url is https://example.com/a:b",
        "write to me@example.com",
        "http://127.0.0.1:8000: closed",
        "2020-01-02T12:30:05",
    ):
        assert redacted(text) == text


def test_an_echoed_secret_is_masked_however_it_is_spelled():
    spelled = [
        SECRET,
        quote(SECRET, safe=""),
        re.sub("%..", lambda found: found[0].lower(), quote(SECRET, safe="")),
        "".join(f"%{ord(c):02X}" for c in SECRET),
    ]
    for before in ("", "k", "ke", "key", "key1:"):
        for after in ("", "t", "tail"):
            whole = f"{before}{SECRET}{after}".encode()
            spelled += [base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode()]
    for text in spelled:
        told = without_secrets(f"echo {text} end", [SECRET, None, "short"])
        assert told.startswith("echo ") and told.endswith(" end")
        # Less than six characters of it may stay at an end that it shares with its neighbours.
        assert len(told) <= len("echo ******** end") + 12, told
    assert without_secrets("nothing to hide", [SECRET]) == "nothing to hide"


def test_keys_come_from_a_file_that_is_named_and_private(tmp_path):
    path = tmp_path / "keys.env"
    path.write_text("# mine\nexport ALPACA_API_KEY='abc'\nALPACA_API_SECRET = def # new\n\nOTHER=1\n")
    path.chmod(0o600)
    found = with_keys({"HOME": "/h"}, path, NAMES)
    assert found == {"HOME": "/h", "ALPACA_API_KEY": "abc", "ALPACA_API_SECRET": "def"}
    assert with_keys({"ALPACA_API_KEY": "abc"}, path, NAMES)["ALPACA_API_KEY"] == "abc"
    with pytest.raises(Refusal, match="ALPACA_API_KEY is another one in the environment") as refused:
        with_keys({"ALPACA_API_KEY": "xyz"}, path, NAMES)
    assert "abc" not in str(refused.value) and "xyz" not in str(refused.value)
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(Refusal, match="others may read it"):
            with_keys({}, path, NAMES)
    path.chmod(0o600)
    path.write_text("ALPACA_API_KEY abc\n")
    with pytest.raises(Refusal, match="line 1: write NAME=value") as refused:
        with_keys({}, path, NAMES)
    assert "abc" not in str(refused.value)
    with pytest.raises(Refusal, match="cannot be read"):
        with_keys({}, tmp_path / "none.env", NAMES)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ('"abc"', "abc"),
        ('"abc"  # mine', "abc"),
        ("'abc'\t# mine", "abc"),
        ('"abc"#mine', "abc"),
        ('"abc" # the "second"', "abc"),
        ('"a # c" # mine', "a # c"),
        ("'a\"c'", 'a"c'),
        ("abc # mine", "abc"),
        ("abc\t# mine", "abc"),
        ("abc#def", "abc#def"),
    ],
)
def test_a_comment_after_a_key_is_no_part_of_it(tmp_path, written, key):
    path = tmp_path / "keys.env"
    path.write_text(f"ALPACA_API_KEY={written}\n")
    path.chmod(0o600)
    assert with_keys({}, path, NAMES) == {"ALPACA_API_KEY": key}
    path.write_text("ALPACA_API_KEY= # none yet\n")
    assert with_keys({}, path, NAMES) == {}
