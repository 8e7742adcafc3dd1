"""Addresses of images: ``docker://NAME``, as Apptainer writes them."""

DOCKER = "docker://"
DOCKER_ARCHIVE, OCI_ARCHIVE = "docker-archive:", "oci-archive:"
"""Before the name of a file that holds an image."""
HUB = "docker.io"
"""Where a name without a registry lies; Podman and Buildah ask instead, or refuse it."""


def whole_name(address: str) -> str:
    """The name with its registry: ``docker.io/library/python:3.11-slim`` of ``docker://python:3.11-slim``."""
    name = address.removeprefix(DOCKER)
    first, slash, _ = name.partition("/")
    if not slash:
        return f"{HUB}/library/{name}"
    return name if first == "localhost" or "." in first or ":" in first else f"{HUB}/{name}"
