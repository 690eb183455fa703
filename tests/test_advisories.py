"""Advisories of a database on this machine are found for the versions of a lock that they hold for, and no others."""

from __future__ import annotations

import json
import zipfile

import pytest

from tools.advisories import main

LOCK = "old-one==1.4.0 \\\n    --hash=sha256:0\nFine.Package==2.0\nnever_fixed==3.1 ; python_version > '3'\n"
OSV = [
    {"id": "OSV-1", "modified": "2026-01-02T00:00:00Z", "summary": "first", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "Old_One"}, "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.4.1"}]}]}]},
    {"id": "OSV-2", "summary": "fixed", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "old-one"}, "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "1.4.0"}]}]}]},
    {"id": "OSV-3", "details": "by version", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "fine-package"}, "versions": ["2.0"]},
        {"package": {"ecosystem": "npm", "name": "never-fixed"}, "versions": ["3.1"]}]},
    {"id": "OSV-4", "withdrawn": "2025-01-01T00:00:00Z", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "old-one"}, "versions": ["1.4.0"]}]},
    {"id": "OSV-5", "summary": "open", "affected": [
        {"package": {"ecosystem": "PyPI", "name": "never-fixed"}, "ranges": [
            {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1.0"}, {"introduced": "3.0"}]}]}]},
]  # fmt: skip
SAFETY = {
    "$meta": {"timestamp": 1625119202},
    "old-one": [{"advisory": "one", "cve": None, "id": "pyup-1", "specs": ["<1.0", ">=1.3,<1.5"], "v": "x"}],
    "fine-package": [{"advisory": "two", "cve": "CVE-1", "id": "pyup-2", "specs": ["<2.0"], "v": "x"}],
}


@pytest.fixture
def lock(tmp_path):
    place = tmp_path / "requirements.lock"
    place.write_text(LOCK)
    return str(place)


@pytest.mark.parametrize("packed", [False, True])
def test_records_of_osv(tmp_path, capsys, lock, packed):
    folder = tmp_path / "osv"
    folder.mkdir()
    for record in OSV:
        (folder / f"{record['id']}.json").write_text(json.dumps(record))
    place = folder
    if packed:
        place = tmp_path / "all.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
    assert main([str(place), lock]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert sorted(line.split(": ")[1] for line in lines) == ["OSV-1", "OSV-3", "OSV-5"]
    assert last == "3 versions, 4 advisories (the newest of 2026-01-02): 3 to look at"


def test_safety_db(tmp_path, capsys, lock):
    (tmp_path / "insecure_full.json").write_text(json.dumps(SAFETY))
    assert main([str(tmp_path / "insecure_full.json"), lock]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "old-one 1.4.0: pyup-1: one",
        "3 versions, 2 advisories (the newest of 2021-07-01): 1 to look at",
    ]
    (tmp_path / "insecure_full.json").write_text(json.dumps({"$meta": SAFETY["$meta"]}))
    assert main([str(tmp_path / "insecure_full.json"), lock]) == 0
    assert main([str(tmp_path / "nowhere")]) == 2
