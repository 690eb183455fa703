"""Times whole backtest engines on the common work, one process per run, taking turns.

Turns (A B C A B C ...) spread whatever else the machine does evenly; ratios are taken within a round
and the median over rounds is reported. Every engine is a script that takes the work's name and the
number of symbols and prints one line ``JSON {...}`` with ``wall`` (engine seconds, imports excluded).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
BASELINE = "ours"
PEERS = {"backtrader": "backtrader", "nautilus": "nautilus_trader"}  # name here: name of the distribution


@dataclass(frozen=True)
class Engine:
    """How one engine is started; ``{work}`` and ``{symbols}`` in the command are filled in."""

    name: str
    command: tuple[str, ...]

    def argv(self, work: str, symbols: int) -> list[str]:
        return [part.format(work=work, symbols=symbols) for part in self.command]


@dataclass(frozen=True)
class Run:
    """One process: engine and whole-process seconds, peak memory, and what it says it traded."""

    engine: str
    work: str
    round: int
    engine_s: float
    process_s: float
    peak_mb: float
    fills: int
    trades: int | None


@dataclass
class Report:
    """All runs, and the engines that could not finish one with the reason."""

    machine: dict[str, str | int]
    versions: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


class EngineFailed(Exception):
    """The process ended badly, took too long, or printed no result."""


def engines(bench: Path, pythons: dict[str, str]) -> list[Engine]:
    """Ours by Lumibot's loop and by the replay, Lumibot doing nothing, and the peers that have a Python."""
    own = sys.executable
    ours = (own, str(HERE / "ours.py"), "{work}", "{symbols}", "--bench", str(bench))
    floor = (own, str(bench / "lumi_run.py"), "--w", "{work}", "--n", "{symbols}", "--variant", "floor")
    peers = [
        Engine(name, (pythons[name], str(bench / f"peer_{name}.py"), "{work}", "{symbols}"))
        for name in PEERS
        if name in pythons
    ]
    return [
        Engine(BASELINE, ours),
        Engine("ours_replay", (*ours, "--engine", "replay")),
        Engine("lumibot_floor", floor),
        *peers,
    ]


def run_once(engine: Engine, work: str, symbols: int, turn: int, env: dict[str, str], limit_s: float) -> Run:
    """Start one process and wait for it.

    Peak memory is the kernel's word on the process, so it means the same for every engine. Linux counts
    the parent's size at the start in, so this file imports nothing large.

    Raises
    ------
    EngineFailed
        With the last line the engine wrote.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        process = subprocess.Popen(
            engine.argv(work, symbols), stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=env
        )
        alarm = threading.Timer(limit_s, process.kill)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        alarm.cancel()
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = output.read().splitlines()
    results = [line.removeprefix("JSON ") for line in lines if line.startswith("JSON ")]
    if seconds >= limit_s:
        raise EngineFailed(f"longer than {limit_s:g} s")
    if process.returncode != 0 or not results:
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        raise EngineFailed(f"exit status {process.returncode}: {last}")
    said = json.loads(results[-1])
    return Run(
        engine=engine.name,
        work=work,
        round=turn,
        engine_s=float(said["wall"]),
        process_s=round(seconds, 3),
        peak_mb=round(usage.ru_maxrss / 1024, 1),
        fills=int(said["fills"]),
        trades=said.get("trades"),
    )


def version(python: str, distribution: str) -> str:
    """Ask an environment which version it holds, and under which Python."""
    code = f"import platform, importlib.metadata as m; print(m.version({distribution!r}), platform.python_version())"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return " on Python ".join(answer.stdout.split()) or "not installed"


def measure(
    contenders: Sequence[Engine], works: Sequence[str], symbols: int, rounds: int, env: dict[str, str], limit_s: float
) -> Report:
    """Take turns through all engines; one that fails drops out and is named in the report."""
    report = Report(machine())
    for work in works:
        for turn in range(rounds):
            for engine in contenders:
                if engine.name in report.failed:
                    continue
                try:
                    run = run_once(engine, work, symbols, turn, env, limit_s)
                except EngineFailed as failure:
                    report.failed[engine.name] = f"{work}: {failure}"
                    print(f"{engine.name} failed on {work}: {failure}", file=sys.stderr)
                else:
                    report.runs.append(run)
                    print(f"{work} {turn + 1}/{rounds} {run.engine}: {run.engine_s:.3f} s", file=sys.stderr)
    return report


def machine() -> dict[str, str | int]:
    """What the figures depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.exists() else []
    return {
        "cpu": models[0].split(":")[1].strip() if models else platform.machine(),
        "cores": os.cpu_count() or 1,
    }


def median_ratio(runs: Iterable[Run], engine: str, baseline: str = BASELINE) -> float | None:
    """Median over rounds of engine seconds relative to the baseline's of the same round; above 1 is slower."""
    seconds = {(run.engine, run.round): run.engine_s for run in runs}
    ratios = [
        seconds[engine, turn] / base for (name, turn), base in seconds.items()
        if name == baseline and (engine, turn) in seconds
    ]  # fmt: skip
    return statistics.median(ratios) if ratios else None


def table(report: Report) -> str:
    """Markdown, one row per work and engine in the order they ran."""
    host = report.machine
    versions = "; ".join(f"{name} {which}" for name, which in report.versions.items())
    rows = [
        f"{host['cpu']}, {host['cores']} cores; medians of interleaved runs. {versions}.",
        "",
        f"| work | engine | runs | engine s | range s | ratio to {BASELINE} | process s | peak MB | fills | trades |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for work, name in dict.fromkeys((run.work, run.engine) for run in report.runs):
        of_work = [run for run in report.runs if run.work == work]
        runs = [run for run in of_work if run.engine == name]
        seconds = [run.engine_s for run in runs]
        ratio = median_ratio(of_work, name)
        cells = [
            work,
            name,
            str(len(runs)),
            f"{statistics.median(seconds):.3f}",
            f"{min(seconds):.3f}–{max(seconds):.3f}",
            "–" if ratio is None else f"{ratio:.2f}",
            f"{statistics.median(run.process_s for run in runs):.2f}",
            f"{statistics.median(run.peak_mb for run in runs):.0f}",
            "/".join(str(fills) for fills in sorted({run.fills for run in runs})),
            "–" if runs[0].trades is None else str(runs[0].trades),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    rows += [f"\n{name} did not finish. {reason}" for name, reason in report.failed.items()]
    return "\n".join(rows) + "\n"


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path, default=HERE.parents[1] / "shared" / "bench", help="the common work")
    parser.add_argument("--work", action="append", choices=["W1", "W2"], help="repeatable; both by default")
    parser.add_argument("--symbols", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=600, help="seconds one run may take")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "bench-cache", help="generated bars"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for results.json and results.md")
    for name in PEERS:
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"interpreter that has {name}; left out otherwise")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write both files, print the table; 1 if an engine failed, 2 if the work is not there."""
    args = arguments(argv)
    bench = args.bench.resolve()
    if not (bench / "common_data.py").is_file():
        print(f"--bench {bench}: no common_data.py there; name the folder of the common work", file=sys.stderr)
        return 2
    args.cache.mkdir(parents=True, exist_ok=True)
    works = args.work or ["W1", "W2"]
    env = os.environ | {
        "BENCH_CACHE": str(args.cache.resolve()),
        "PYTHONPATH": str(bench),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # Bars are generated once beforehand: whichever engine came first would pay for them in process seconds.
    prepare = f"import common_data as c; [c.arrays(w, {args.symbols}) for w in {works!r}]"
    subprocess.run([sys.executable, "-c", prepare], env=env, check=True)
    pythons = {name: getattr(args, name) for name in PEERS if getattr(args, name)}
    report = measure(engines(bench, pythons), works, args.symbols, args.rounds, env, args.limit)
    report.versions = {"lumibot": version(sys.executable, "lumibot")}
    report.versions |= {name: version(python, PEERS[name]) for name, python in pythons.items()}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "results.json").write_text(json.dumps(asdict(report), indent=1) + "\n")
    (args.out / "results.md").write_text(table(report))
    print(table(report), end="")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
