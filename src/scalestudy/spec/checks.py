"""What a configuration must keep beyond its models: the rules on studies, on workloads, and on the container.

These rules need no machine; those that do stand in expand.py and cell_checks.py.
"""

from collections.abc import Iterator

from scalestudy.spec.config import Config
from scalestudy.spec.messages import Problem
from scalestudy.spec.study_checks import STUDY_CHECKS
from scalestudy.spec.workload_checks import WORKLOAD_CHECKS
from scalestudy.spec.yaml_text import show_text


def _container_agrees(config: Config) -> Iterator[Problem]:
    spec = config.container
    if spec.digest and not spec.image:
        right = "must be left out, since the digest of an image that is built here is not known before"
        yield Problem(("container", "digest"), f"found a digest without container.image; {right}")
    if spec.builder == "apptainer" and spec.engine in ("docker", "podman"):
        right = f"must be one of auto, podman, buildah, docker, since {spec.engine} runs no SIF"
        yield Problem(("container", "builder"), f"found apptainer for the engine {spec.engine}; {right}")
    if spec.engine in ("docker", "podman") and spec.image.endswith(".sif"):
        right = f"must be an address or a docker archive (.tar), since {spec.engine} runs no SIF"
        yield Problem(("container", "image"), f"found {show_text(spec.image)}; {right}")


CHECKS = (*STUDY_CHECKS, *WORKLOAD_CHECKS, _container_agrees)


def violations(config: Config) -> list[Problem]:
    """Everything that the rules find, each mistake once."""
    return list(dict.fromkeys(problem for check in CHECKS for problem in check(config)))
