"""An image upon a base that brings torch, for AMD GPUs or CPUs alone: what is installed in it, and what is refused.

The base's Python is the one that runs these tests: it has torch, and it is a virtual environment as in AMD's images.
"""

import subprocess
import sys
from pathlib import Path

from ordinary_user import ROOT

INSTALL = ROOT / "containers" / "install"


def install(prefix: Path, programs: str) -> subprocess.CompletedProcess[str]:
    """The step that both definitions have, with the Python that is found first in these folders."""
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(prefix.parent), "TMPDIR": str(prefix.parent)}
    command = [INSTALL, prefix, "base"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)


def test_torch_is_the_bases_and_all_else_the_locks(tmp_path: Path) -> None:
    prefix = tmp_path / "image"
    done = install(prefix, str(Path(sys.executable).parent))
    assert done.returncode == 0, done.stderr
    code = "import torch, torchvision, numpy; print(torch.__file__, torchvision.__file__, numpy.__file__, sep='\\n')"
    command = [prefix / "bin/python", "-c", code]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert [Path(path).is_relative_to(prefix) for path in said] == [False, False, True]
    installed = {path.name for path in prefix.glob("lib/python*/site-packages/*")}
    assert {"scalestudy", "numpy", "snakemake"} <= installed
    assert not {name for name in installed if name.startswith(("torch", "nvidia", "triton", "cuda"))}
    assert not (prefix / ".cache").exists()
    subprocess.run([prefix / "bin/python", "-m", "scalestudy.train.self_test"], cwd=tmp_path, check=True)


def test_a_base_without_torch_is_refused_in_one_line(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", plain], check=True)
    done = install(tmp_path / "image", str(plain / "bin"))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("install: container.torch is base, but the base image's python3 has no torch: ")
    assert not (tmp_path / "image").exists()


def test_a_base_with_an_old_torch_is_refused_in_one_line(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", plain], check=True)
    place = next(plain.glob("lib/python*/site-packages"))
    for name in ("torch", "torchvision"):
        (place / f"{name}-1.9.0.dist-info").mkdir()
        (place / f"{name}-1.9.0.dist-info/METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.9.0\n"
        )
        (place / name).mkdir()
        (place / name / "__init__.py").write_text("")
    done = install(tmp_path / "image", str(plain / "bin"))
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "install: container.torch is base, but the base image has torch 1.9.0; must be 2.15 or newer"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]
