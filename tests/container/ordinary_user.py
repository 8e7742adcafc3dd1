"""Commands as an ordinary user in a clean environment: what a student on a cluster has."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "scalestudy-test"
BASE = "localhost/scalestudy-base"
"""The minimal Debian in the user's store of images."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass
class OrdinaryUser:
    """This user, or when the tests run as root one that is made for them."""

    home: Path
    """A folder of this test session, with room for images."""
    path: list[Path] = field(default_factory=list)
    """Folders to look for programs in, before the system's."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.as_user: list[str] = []
        if os.geteuid() == 0:
            try:
                pwd.getpwnam(NAME)
            except KeyError:  # useradd also gives the home and the range of ids that building needs
                subprocess.run(["useradd", "--create-home", NAME], check=True)
            self.as_user = ["setpriv", f"--reuid={NAME}", f"--regid={NAME}", "--init-groups"]
            shutil.chown(self.home, NAME, NAME)
            for folder in [self.home, *self.home.parents][:-1]:
                if not folder.stat().st_mode & 0o001:  # temporary folders are
                    folder.chmod(folder.stat().st_mode | 0o011)
        for name in ("tmp", "run"):
            self.own(self.home / name)

    def own(self, folder: Path) -> Path:
        """A folder that belongs to the user."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.as_user:
            subprocess.run(["chown", "-R", f"{NAME}:{NAME}", folder], check=True)
        return folder

    def command(self, *words: object, **environment: object) -> list[str]:
        """The words as this user, in an environment that holds nothing else."""
        values = {
            "HOME": self.home,
            "USER": NAME,
            "PATH": ":".join([*map(str, self.path), "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]),
            "TMPDIR": self.home / "tmp",
            "XDG_RUNTIME_DIR": self.home / "run",
            "STORAGE_DRIVER": "overlay",
            "APPTAINER_MKSQUASHFS_ARGS": "-comp zstd -Xcompression-level 1",  # compressing takes longest in a build
            "LANG": "C.UTF-8",
        } | environment
        return [*self.as_user, "env", "-i", *(f"{name}={value}" for name, value in values.items()), *map(str, words)]

    def run(
        self, *words: object, folder: Path | None = None, timeout_s: float = 1800, **environment: object
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; never raises for an exit code."""
        return subprocess.run(
            self.command(*words, **environment),
            cwd=folder or self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def must(self, *words: object, folder: Path | None = None, **environment: object) -> str:
        """Run what has to succeed; its standard output."""
        done = self.run(*words, folder=folder, **environment)
        assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout
