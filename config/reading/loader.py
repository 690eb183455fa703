"""Merges base, profile, files and single values into validated settings that know where each value came from."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.errors import Refusal
from config.process.secret_guard import secret_among
from config.reading import strict_yaml
from config.reading.error_messages import closest, sentence
from config.reading.files import read_ordinary
from config.reading.list_edits import edited, split
from config.settings import TRADES, Settings
from config.values.masking import MASK
from config.values.provenance import Provenance
from config.values.secrets import Secrets, looks_secret

FOLDER = Path(__file__).parents[1]
PROFILES = FOLDER / "profiles"

SHORT_KEYS = {"market": "pace.market", "sleeptime": "pace.sleeptime"}
"""What ``--set`` accepts without its section: Lumibot's own words for pace and hours."""

SETTINGS_FILES = (".yaml", ".yml")
SECRETS = "secrets"
SHIPPED = 2
"""Of the files that nobody asked for: base and profile; what follows is asked for by data."""
DEEPEST, LONGEST_KEY, LONGEST_SHOWN = 12, 200, 60
"""Parts and characters of a dotted key, and how many of them are told of one that is longer."""

Override = tuple[str, str, Any]
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class RecordedSettings:
    """The settings of an earlier run: a YAML file that names all of them.

    Parameters
    ----------
    file : Path
    chosen : mapping of str to str
        The source of each setting that the user of that run had set, by dotted key: the file cannot tell them from
        the others.
    """

    file: Path
    chosen: Mapping[str, str]


def profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.yaml")))


def load(
    profile: str = "active",
    files: Iterable[str | Path] = (),
    overrides: Iterable[str] | Mapping[str, Any] = (),
    overlays: Iterable[str | Path] = (),
    arguments: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
    recorded: RecordedSettings | None = None,
    trades: bool = True,
) -> Settings:
    """Merge and validate the settings. Later sources win: sections merge key by key, lists are replaced.

    Parameters
    ----------
    profile : str, default="active"
        Overlay in ``config/profiles``.
    files : iterable of path
        The user's own YAML overlays, in order. What a listing of all settings repeats of base and profile is no choice.
    overrides : iterable of str, or mapping
        Single values: ``a.b=c`` with ``c`` read as YAML, or dotted keys and values.
    overlays : iterable of path
        What a data source asks for; below ``files``.
    arguments : sequence of (source, dotted key, value)
        Values from arguments of their own, e.g. ``("--budget", "account.budget_usd", 5000.0)``; the last word.
    environment : mapping, optional
        Where secrets are read from, ``os.environ`` by default.
    recorded : RecordedSettings, optional
        Of an earlier run that is repeated; above ``overlays`` and below ``files``.
    trades : bool, default=True
        False for a command that only looks at what a trader with these settings does.

    Raises
    ------
    Refusal
        One sentence that names the file, the key, the wrong value and what would be right.
    """
    merged: dict[str, Any] = {}
    defaults = (FOLDER / "base.yaml", _profile_path(profile), *map(Path, overlays))
    provenance = Provenance(map(_shown, defaults))
    own = list(map(Path, files))
    for path in defaults[:SHIPPED]:
        _lay(merged, path, provenance)
    shipped = copy.deepcopy(merged)
    for path in defaults[SHIPPED:]:
        _lay(merged, path, provenance)
    provenance.note_before("risk.chain", merged["risk"]["chain"])
    if recorded is not None:
        # What that run's user had not set keeps the source that it has here.
        _lay(merged, recorded.file, Provenance())
        for dotted, source in recorded.chosen.items():
            provenance.note(dotted, source)
    for path in own:
        _lay(merged, path, provenance, shipped)
    single = [("--set", *item) for item in _pairs(overrides)]
    for source, dotted, value in (*single, *arguments):
        _merge(merged, _nested(dotted, value, source), source, provenance)
    provenance.note_as_shipped(key for key, _ in provenance.choices() if _at(merged, key) == _at(shipped, key))
    secrets = os.environ if environment is None else environment
    text = json.dumps(merged)
    if variable := secret_among([text], secrets):
        place = next((key for key, leaf in _leaves(merged) if secret_among([leaf], secrets)), "")
        raise Refusal(
            f"{provenance.of(place)}: {place or 'one of the keys'} holds the secret of {variable}, and settings are "
            "written into each run's folder: take it out of the settings"
        )
    try:
        settings = Settings.model_validate_json(text, context={TRADES: trades})
    except ValidationError as error:
        raise Refusal(sentence(error, Settings, provenance)) from None
    settings._provenance = provenance
    settings._secrets = Secrets.from_environment(secrets)
    return settings


def _profile_path(profile: str) -> Path:
    if profile not in profiles():
        if "/" in profile or profile.endswith(SETTINGS_FILES):
            own = f"a file of your own is laid over one: --config {profile}"
            raise Refusal(f"--profile {profile}: there is no such profile; {own}")
        raise Refusal(f"--profile {profile}: there is no such profile; {closest(profile, profiles())}")
    return PROFILES / f"{profile}.yaml"


def _shown(path: Path) -> str:
    """A path as a reader knows it: our own files relative to the package, others as they were given."""
    inside = path.is_absolute() and path.is_relative_to(FOLDER.parent)
    return path.relative_to(FOLDER.parent).as_posix() if inside else str(path)


def _lay(merged: dict[str, Any], path: Path, provenance: Provenance, shipped: Mapping[str, Any] = _NOTHING) -> None:
    """Lay a file over the settings; of one that repeats all that is ``shipped``, what it says otherwise."""
    source = _shown(path)
    content = _read(path, source)
    if shipped and shipped.keys() <= content.keys():
        content = _said_otherwise(content, shipped, provenance)
    _merge(merged, content, source, provenance)


def _said_otherwise(
    content: Mapping[str, Any], shipped: Mapping[str, Any], provenance: Provenance, above: str = ""
) -> dict[str, Any]:
    """What a listing of all settings says otherwise than base and profile, or than an earlier file of the user's.

    A listing begins as what ``--show-config`` prints. What nobody has changed in it is nobody's choice, and has to give
    way to what the data ask for as it does without the listing.
    """
    kept: dict[str, Any] = {}
    for key, value in content.items():
        dotted = f"{above}{key}"
        below = shipped.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            if value and (section := _said_otherwise(value, below, provenance, f"{dotted}.")):
                kept[key] = section
        elif key not in shipped or not _same(value, below) or provenance.chosen(dotted):
            kept[key] = value
    return kept


def _same(value: Any, other: Any) -> bool:
    """Whether two values are the same setting: 5 and 5.0 are, 1 and true are not."""
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _read(path: Path, source: str) -> dict[str, Any]:
    try:
        text = read_ordinary(path).decode("utf-8")
    except FileNotFoundError:
        raise Refusal(f"{source}: there is no such file; give the path of a YAML file") from None
    except UnicodeDecodeError:
        raise Refusal(f"{source}: not a text file; give a YAML file in UTF-8") from None
    except OSError as error:
        raise Refusal(f"{source}: cannot be read, {error.strerror}; give the path of a YAML file") from None
    content = strict_yaml.parse(text, source)
    if not isinstance(content, dict):
        raise Refusal(f"{source}: holds no settings; write sections such as sizing: with their keys below them")
    return content


def _pairs(overrides: Iterable[str] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        return [(SHORT_KEYS.get(key, key), value) for key, value in overrides.items()]
    pairs = []
    for text in overrides:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            shown = key[:LONGEST_SHOWN] or equals
            raise Refusal(f"--set {shown}: write --set KEY=VALUE, e.g. --set sizing.risk_frac=0.01")
        _check_length("--set", key)
        pairs.append((SHORT_KEYS.get(key, key), strict_yaml.parse(value, f"--set {key}")))
    return pairs


def _check_length(source: str, dotted: str) -> None:
    if dotted.count(".") >= DEEPEST or len(dotted) > LONGEST_KEY:
        raise Refusal(f"{source} {dotted[:LONGEST_SHOWN]}…: is no setting, its key is too long; see --show-config")


def _nested(dotted: str, value: Any, source: str) -> dict[str, Any]:
    _check_length(source, dotted)
    *parents, last = dotted.split(".")
    nested: dict[str, Any] = {last: value}
    for parent in reversed(parents):
        nested = {parent: nested}
    return nested


def _merge(
    into: dict[str, Any],
    overlay: Mapping[str, Any],
    source: str,
    provenance: Provenance,
    above: str = "",
) -> None:
    """Lay ``overlay`` over ``into``, in place, and note the source of each leaf and of each new section."""
    for written, value in overlay.items():
        key, edit = split(str(written))
        dotted = f"{above}.{key}" if above else key
        if edit:
            provenance.note(dotted, source)
            into[key] = edited(dotted, edit, into.get(key), value, source)
            continue
        if _holds_secret(dotted, key, value):
            names = ", ".join(Secrets.model_fields)
            raise Refusal(
                f"{source}: {dotted} looks like a secret; secrets come from environment variables only ({names}), "
                "so take it out of the settings"
            )
        if dotted == SECRETS:
            continue
        if not isinstance(value, Mapping):
            provenance.note(dotted, source)
            into[key] = value
            continue
        if not isinstance(into.get(key), dict):
            provenance.note(dotted, source)
            into[key] = {}
        _merge(into[key], value, source, provenance, dotted)


def _at(values: Mapping[str, Any], dotted: str) -> Any:
    """What a dotted key holds; NaN, which equals nothing, where there is no such key."""
    found: Any = values
    for part in dotted.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return math.nan
        found = found[part]
    return found


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their values as text."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", json.dumps(value)


def _holds_secret(dotted: str, key: str, value: Any) -> bool:
    """Whether a secret may be written here; the masked listing that ``--show-config`` prints holds none."""
    if dotted == SECRETS and isinstance(value, Mapping):
        return any(item not in (None, MASK) for item in value.values())
    return value is not None and looks_secret(key)
