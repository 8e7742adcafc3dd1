"""Where and with what a run ran."""

from pydantic import BaseModel, ConfigDict


class Provenance(BaseModel):
    """As recorded by the job itself; empty where it could not be found out."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    hosts: list[str] = []
    processor: str = ""
    cores: int = 0
    """Cores that the run may use."""
    memory_bytes: int = 0
    accelerators: list[str] = []
    os: str = ""
    kernel: str = ""
    python: str = ""
    torch: str = ""
    cuda: str = ""
    backend: str = ""
    """Of torch.distributed, empty for one process."""
    network: list[str] = []
    """Interfaces that were up where rank 0 ran, with the speed of their link: ``eth0 10000 Mbit/s``."""
    threads_per_rank: int = 1
    pinned: list[list[int]] = []
    """The cores of each device."""
    malloc_tuned: bool = False
    """glibc was told to keep freed memory."""
    version: str = ""
    """Of scalestudy."""
    commit: str = ""
    """Of the source, with ``-dirty`` when it was changed."""
    engine: str = ""
    """The container engine around the run; empty: none."""
    engine_version: str = ""
    image_digest: str = ""
    """Of the image that it ran in, or that it is unknown."""
    data_sha256: str = ""
    """Of the prepared training and test arrays."""
    data_title: str = ""
    data_synthetic: bool = False
    started: str = ""
    """UTC, ISO 8601."""
    slurm: dict[str, str] = {}
    """SLURM's job variables, where there are any."""
