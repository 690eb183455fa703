"""A PostgreSQL server of its own for the tests: a Unix socket in a new folder, no network."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

USER, PASSWORD = "trader", "s3cret/p@ss:w#rd%?"


def binaries() -> Path | None:
    """The newest installed server's folder; None if there is none that this user can run."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        return None
    return found[-1].parent if found else Path(str(on_path)).parent


class PostgresServer:
    def __init__(self, folder: Path) -> None:
        self._bin = folder
        self.home = Path(tempfile.mkdtemp(prefix="pgtest-"))
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:  # The server refuses to run as root.
            owner = pwd.getpwnam("nobody")
            os.chown(self.home, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        password = self.home / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run("initdb", "-D", self.data, "-U", USER, "-A", "scram-sha-256", "--pwfile", str(password), "-N")
        options = f"-k {self.home} -c listen_addresses='' -c fsync=off -c max_connections=20"
        self._run("pg_ctl", "-D", self.data, "-w", "-o", options, "-l", f"{self.home}/log", "start")
        self._databases = 0

    @property
    def data(self) -> str:
        return str(self.home / "data")

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            **self._as,
        )
        assert done.returncode == 0, done.stderr

    def fresh(self) -> str:
        """The address of a new, empty database."""
        import psycopg2

        self._databases += 1
        name = f"journal{self._databases}"
        connection = psycopg2.connect(host=str(self.home), user=USER, password=PASSWORD, dbname="postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        return self.url(name)

    def url(self, database: str, password: str = PASSWORD) -> str:
        from urllib.parse import quote

        return f"postgresql://{USER}:{quote(password, safe='')}@/{database}?host={self.home}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.home, ignore_errors=True)
