"""Merging, provenance and the one sentence that each wrong setting gets."""

from __future__ import annotations

import json
import pickle

import pytest

import config
from config import Refusal, load, profiles


def refusal(**arguments) -> str:
    with pytest.raises(Refusal) as caught:
        load(**arguments)
    return str(caught.value)


@pytest.fixture
def yaml_file(tmp_path):
    def write(text: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def test_usable_from_a_plain_script():
    assert config.load(profile="active").universe.benchmark == "SPY"


def test_profiles_are_found():
    known = ("active", "aggressive", "bench", "intraday", "low_capital", "micro_cap", "standard", "swing")
    assert profiles() == known


def test_later_sources_win_and_are_named(yaml_file):
    overlay = yaml_file("sizing: {risk_frac: 0.011, max_notional_frac: 0.12, lot: 2}\n", "data.yaml")
    mine = yaml_file("sizing: {risk_frac: 0.012, max_notional_frac: 0.09}\n")
    settings = load(
        "swing",
        files=[mine],
        overlays=[overlay],
        overrides=["sizing.risk_frac=0.013", "account.budget_usd=7"],
        arguments=[("--budget", "account.budget_usd", 9.0)],
    )
    assert (settings.sizing.risk_frac, settings.source_of("sizing.risk_frac")) == (0.013, "--set")
    assert (settings.sizing.max_notional_frac, settings.source_of("sizing.max_notional_frac")) == (0.09, mine)
    assert (settings.sizing.lot, settings.source_of("sizing.lot")) == (2, overlay)
    assert (settings.account.budget_usd, settings.source_of("account.budget_usd")) == (9, "--budget")
    assert settings.source_of("exits.model") == "config/profiles/swing.yaml"
    assert settings.source_of("risk.modules.cash_buffer.buffer_frac") == "config/profiles/swing.yaml"
    assert settings.source_of("risk.modules.cash_buffer.min_position_frac") == "config/base.yaml"
    assert settings.source_of("gate.restricted.0") == "config/base.yaml"


def test_sections_merge_and_lists_are_replaced(yaml_file):
    mine = yaml_file("universe: {symbols: [F], sectors: {F: cars, XYZ: new}}\n")
    universe = load(files=[mine]).universe
    assert universe.symbols == ("F",)
    assert (universe.sectors["F"], universe.sectors["XYZ"], universe.sectors["AAPL"]) == ("cars", "new", "mega_tech")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_a_file_without_settings_is_refused(yaml_file, text):
    path = yaml_file(text)
    assert refusal(files=[path]).startswith(f"{path}: holds no settings; write sections such as sizing:")


def test_what_the_user_chose_is_told_from_defaults(yaml_file):
    mine = yaml_file("universe: {cap: 3}\n")
    overlay = yaml_file("universe: {benchmark: QQQ}\n", "data.yaml")
    settings = load("swing", files=[mine], overlays=[overlay], overrides=["sizing.lot=2"])
    assert settings.provenance.chosen("universe.cap") and settings.provenance.chosen("sizing.lot")
    for key in ("universe.benchmark", "universe.symbols", "exits.model"):
        assert not settings.provenance.chosen(key)


def test_overrides_are_yaml_or_a_mapping():
    by_text = load(overrides=["universe.symbols=[ON, F]", "universe.cap=null", "market=24/7", "sleeptime=30s"])
    by_name = load(
        overrides={"universe.symbols": ["ON", "F"], "universe.cap": None, "market": "24/7", "sleeptime": "30S"}
    )
    assert by_text.universe.symbols == ("ON", "F")
    assert (by_text.pace.market, by_text.pace.sleeptime) == ("24/7", "30S")
    assert by_text.config_hash == by_name.config_hash


def test_cap_keeps_the_first_symbols():
    assert load(overrides=["universe.cap=2"]).universe.traded == ("NVDA", "AAPL")
    assert len(load().universe.traded) == 29


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("sizin.x=1", "--set: sizin is not a setting; did you mean sizing?"),
        ("sizing.risk_fraction=1", "--set: sizing.risk_fraction is not a setting; did you mean sizing.risk_frac?"),
        ("pace.=1", "--set pace.: write --set KEY=VALUE"),
        ("broker.alpaca.trade_url=x", "did you mean broker.alpaca.trading_url?"),
        ("sizing.risk_frac=15", "--set: sizing.risk_frac is 15; it is a fraction of 1, write 0.15 for 15%"),
        ("sizing.risk_frac=15%", '--set: sizing.risk_frac is "15%"; it is a fraction of 1, write 0.15 for 15%'),
        ("sizing.risk_frac=1500", "it is a fraction of 1, write a number from 0 to 1"),
        ("sizing.risk_frac=-0.1", "--set: sizing.risk_frac is -0.1; it must be above 0"),
        ("selection.min_confidence=60", "it is a fraction of 1, write 0.6 for 60%"),
        ("gate.max_day_notional_frac=5", "a fraction of 1, at most 4 (400%); write 0.05 if 5% is meant"),
        ("sizing.risk_frac=much", '--set: sizing.risk_frac is "much"; write a number without quotes'),
        ('sizing.risk_frac="0.02"', '--set: sizing.risk_frac is "0.02"; write a number without quotes'),
        ("sizing.risk_frac=true", "--set: sizing.risk_frac is true; write a number without quotes"),
        ("sizing.risk_frac=.nan", "--set: sizing.risk_frac is NaN; write a finite number"),
        ("sizing.risk_frac=null", "--set: sizing.risk_frac is null; write a number"),
        ("sizing=5", "--set: sizing is 5; it is a section: write its keys below it"),
        ("strategy=5", "--set: strategy is 5; write text"),
        ("strategy={a: 1}", '--set: strategy is {"a": 1}; write text'),
        ("selection.execute=1.5", "--set: selection.execute is 1.5; write a whole number"),
        ("universe.symbols=AAPL", '--set: universe.symbols is "AAPL"; write a list, e.g. [A, B]'),
        ("universe.symbols=[]", "--set: universe.symbols is []; it must not be empty"),
        ("universe.symbols=[AA PL]", '--set: universe.symbols.0 is "AA PL"; write a ticker, e.g.'),
        ("account.budget_usd=0.5", "--set: account.budget_usd is 0.5; it must be at least 1"),
        ("universe.cap=0", "--set: universe.cap is 0; it must be at least 1"),
        ("risk.modules.sector_cap=5", "--set: risk.modules.sector_cap is 5; it is a section"),
        ("pace.sleeptime=5", "--set: pace.sleeptime is 5; write a whole number and S, M, H or D"),
        ("pace.sleeptime=0M", '--set: pace.sleeptime is "0M"; write a whole number and S, M, H or D'),
        ("market=NYS", '--set: pace.market is "NYS"; write one of Lumibot\'s markets'),
        ("pace.windows=[25:00]", '--set: pace.windows.0 is "25:00"; write New York time as "HH:MM"'),
        ("fills.stop_slippage_bps=-1", "--set: fills.stop_slippage_bps is -1; it must be at least 0"),
        ("strategy=[", "--set strategy, line 1: not valid YAML"),
        ("strategy", "--set strategy: write --set KEY=VALUE"),
        ("=1", "--set =: write --set KEY=VALUE"),
        ("a..b=1", "--set a..b: write --set KEY=VALUE"),
    ],
)
def test_a_wrong_value_is_told_in_one_sentence(override, told):
    sentence = refusal(overrides=[override])
    assert told in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["selection.execute=9"], "selection.execute is 9 but selection.watch_list is only 5"),
        (["selection.a_plus_score=50"], "selection.a_plus_score is 50, below the entry threshold of 60"),
        (
            ["sizing.risk_frac=1"],
            "sizing.risk_frac is 1, so that one position might lose 100% of the account at its stop; write 0.01 for 1%",
        ),
        (
            ["sizing.risk_frac=0.5"],
            "sizing.risk_frac is 0.5, so that one position might lose 50% of the account at its",
        ),
        (["gate.max_order_notional_frac=0.05"], "gate.max_order_notional_frac is 0.05, below sizing.max_notional_frac"),
        (["gate.max_day_notional_frac=0.05"], "gate.max_day_notional_frac is 0.05, below sizing.max_notional_frac"),
        (["sizing.lot=0.5"], "sizing.lot is 0.5, but NVDA is a share, and brackets rest for whole shares only"),
        (["risk.modules.allocation.lot=0.1"], "risk.modules.allocation.lot is 0.1, but NVDA is a share"),
        (
            ["sizing.notional_usd=500", "gate.max_order_notional_usd=400"],
            "gate.max_order_notional_usd is 400, below sizing",
        ),
        (
            ["sizing.notional_usd=500", "gate.max_day_notional_usd=400"],
            "gate.max_day_notional_usd is 400, below sizing.",
        ),
        (["sizing.max_notional_frac=0.3"], "gate.max_order_notional_frac is 0.105, below sizing.max_notional_frac 0.3"),
        (["risk.chain=[sector_cap, sector_cap]"], "risk.chain names sector_cap twice"),
        (["signals.enabled=[vwap, vwap]"], "signals.enabled names vwap twice"),
        (["universe.symbols=[F, GM, F]"], "universe.symbols names F twice"),
        (["pace.windows=['08:00']"], 'pace.windows has "08:00" but NYSE trades from 09:30 to 16:00'),
        (["pace.windows=['10:30']", "pace.sleeptime=1D"], "pace.windows needs several iterations a day"),
    ],
)
def test_an_impossible_combination_names_who_made_it(overrides, told):
    assert refusal(overrides=overrides).startswith(f"--set: {told}")


def test_a_conflict_is_laid_to_the_file_that_came_last(yaml_file):
    first = yaml_file("selection: {watch_list: 3}\n", "first.yaml")
    last = yaml_file("selection: {execute: 4}\n", "last.yaml")
    assert refusal(files=[first, last]).startswith(f"{last}: selection.execute is 4")
    assert refusal(files=[last, first]).startswith(f"{first}: selection.execute is 4")


def test_a_window_at_night_is_fine_where_the_market_never_closes():
    assert load(overrides=["market=24/7", "pace.windows=['03:00']"]).pace.windows == ("03:00",)


def test_a_small_cap_on_the_value_bounds_the_loss_instead_of_the_risk():
    wide = load("bench").sizing
    assert wide.risk_frac == 1 and wide.max_notional_frac == 0.03
    sizing = ["sizing.risk_frac=1", "sizing.max_notional_frac=0.09"]
    assert load(overrides=sizing).sizing.risk_frac == 1
    assert load(overrides=["sizing.risk_frac=0.1"]).sizing.risk_frac == 0.1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sizing: {risk_frac: 2}\n", "sizing.risk_frac is 2; it is a fraction of 1, write 0.02 for 2%"),
        ("sizing:\n  risk_frac: 0.01\n  risk_frac: 0.02\n", "line 3: not valid YAML, the key 'risk_frac' is written"),
        ("sizing: [\n", "line 2: not valid YAML"),
        ("- a\n- b\n", "holds no settings"),
        ("sizing:\n", "sizing is null; it is a section"),
    ],
)
def test_a_wrong_file_is_named(yaml_file, text, told):
    mine = yaml_file(text)
    sentence = refusal(files=[mine])
    assert sentence.startswith(mine)
    assert told in sentence


def test_unreadable_files(tmp_path):
    assert "there is no such file" in refusal(files=[tmp_path / "none.yaml"])
    assert "cannot be read" in refusal(files=[tmp_path])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not a text file" in refusal(files=[tmp_path / "binary.yaml"])


def test_an_unknown_profile_lists_the_known():
    assert refusal(profile="actve") == "--profile actve: there is no such profile; did you mean active?"
    listed = "active, aggressive, bench, intraday, low_capital, micro_cap, standard, swing"
    assert refusal(profile="x").endswith(f"known here: {listed}")
    own = "there is no such profile; a file of your own is laid over one: --config"
    assert refusal(profile="../base") == f"--profile ../base: {own} ../base"
    assert refusal(profile="mine.yaml") == f"--profile mine.yaml: {own} mine.yaml"


@pytest.mark.parametrize(
    "text",
    [
        "broker: {alpaca: {api_key: hunter2}}\n",
        "ALPACA_API_SECRET: hunter2\n",
        "broker: {kraken: {password: hunter2}}\n",
        "DATABASE_URL: postgres://me:hunter2@host/db\n",
        "secrets: {ALPACA_API_KEY: hunter2}\n",
        "secrets: [hunter2]\n",
        "broker: {kraken: {url: 'https://me:hunter2@api.kraken.com'}}\n",
    ],
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(yaml_file, text):
    sentence = refusal(files=[yaml_file(text)])
    assert "secrets come from environment variables" in sentence
    assert "hunter2" not in sentence


def test_secrets_come_from_the_environment_and_stay_hidden():
    settings = load(environment={"ALPACA_API_KEY": "hunter2", "KRAKEN_API_KEY": ""})
    assert settings.secrets.ALPACA_API_KEY.get_secret_value() == "hunter2"
    assert settings.secrets.missing(("ALPACA_API_KEY", "KRAKEN_API_KEY")) == ("KRAKEN_API_KEY",)
    assert settings.as_dict(masked=True)["secrets"]["ALPACA_API_KEY"] == "********"
    assert settings.as_dict(masked=True)["secrets"]["KRAKEN_API_KEY"] is None
    for text in (repr(settings), str(settings.as_dict(masked=True)), settings.model_dump_json()):
        assert "hunter2" not in text


def test_the_hash_is_of_the_values_alone(yaml_file):
    plain = load(environment={})
    assert load(environment={"ALPACA_API_KEY": "x"}).config_hash == plain.config_hash
    assert load(files=[yaml_file("account: {budget_usd: 100000.0}\n")]).config_hash == plain.config_hash
    assert load(overrides=["risk.modules.sector_cap.max_positions=3.0"]).config_hash == plain.config_hash
    assert load(overrides=["risk.modules.sector_cap.max_positions=4"]).config_hash != plain.config_hash
    assert load("swing", environment={}).config_hash != plain.config_hash


@pytest.mark.parametrize(
    ("key", "address", "fine"),
    [
        ("alpaca.trading_url", "https://paper-api.alpaca.markets", True),
        ("alpaca.trading_url", "http://localhost:8080", True),
        ("alpaca.trading_url", "http://127.1.2.3:8080", True),
        ("alpaca.data_url", "http://[::1]:80", True),
        ("alpaca.trading_url", "http://paper-api.alpaca.markets", False),
        ("alpaca.trading_url", "http://localhost.example.com", False),
        ("alpaca.trading_url", "http://127.0.0.1.example.com", False),
        ("alpaca.trading_url", "http://localhost@example.com", False),
        ("alpaca.trading_url", "ftp://localhost", False),
        ("alpaca.trading_url", "https://", False),
        ("alpaca.trading_url", "https://host:port", False),
        ("alpaca.trading_url", "paper-api.alpaca.markets", False),
        ("alpaca.stream_url", "wss://paper-api.alpaca.markets/stream", True),
        ("alpaca.stream_url", "ws://127.0.0.1:9/stream", True),
        ("alpaca.stream_url", "ws://paper-api.alpaca.markets/stream", False),
        ("alpaca.stream_url", "https://paper-api.alpaca.markets", False),
        ("kraken.url", "http://10.0.0.1", False),
        ("kraken.url", "null", False),
    ],
)
def test_plain_addresses_are_for_loopback_only(key, address, fine):
    override = f"broker.{key}={address}"
    if fine:
        assert load(overrides=[override]).source_of(f"broker.{key}") == "--set"
    else:
        assert refusal(overrides=[override]).startswith(f"--set: broker.{key} is ")


def test_settings_are_frozen_and_travel_to_other_processes():
    settings = load("swing", environment={})
    with pytest.raises(ValueError, match="frozen"):
        settings.sizing.risk_frac = 1.0
    copy = pickle.loads(pickle.dumps(settings))
    assert copy.config_hash == settings.config_hash
    assert copy.source_of("exits.model") == "config/profiles/swing.yaml"


def test_a_listing_keeps_null_where_a_setting_follows_a_rule(yaml_file):
    sweep = {"risk.chain": ["cash_buffer", "cash_sweep"]}
    listed = load(overrides=sweep)
    assert (listed.gate.min_cash_frac, listed.gate.cash_funds) == (None, None)
    assert (listed.policy_gate.min_cash_frac, listed.policy_gate.cash_funds) == (0.15, ("BIL", "SGOV", "SHV"))
    edited = listed.as_dict()
    edited["risk"]["modules"]["cash_buffer"]["buffer_frac"] = 0.05
    edited["risk"]["modules"]["cash_sweep"]["funds"] = ["SHV"]
    gate = load(files=[yaml_file(json.dumps(edited))]).policy_gate
    assert (gate.min_cash_frac, gate.cash_funds) == (0.05, ("SHV",))


def test_what_the_gate_is_told_itself_counts_before_what_a_rule_keeps():
    own = {"risk.modules.cash_buffer.buffer_frac": 0.05, "gate.min_cash_frac": 0.3}
    assert load(overrides=own).policy_gate.min_cash_frac == 0.3
    assert load(overrides=["risk.chain-=cash_buffer"]).policy_gate.min_cash_frac == 0.0
