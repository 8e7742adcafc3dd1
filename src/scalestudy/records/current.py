"""Whether a record that is there was made from what is asked for now."""

import json
from pathlib import Path

from scalestudy.errors import StudyError
from scalestudy.records.files import read_bytes
from scalestudy.records.image import UNKNOWN


def is_current(path: Path, digest: str, in_image: bool | None = None) -> bool:
    """Whether a run's result or a layout's probe is of this specification, and made in an image or outside as asked.

    ``in_image`` None: either will do. A container that the workflow did not start, such as one around all of it, is
    outside: it may hold anything. A record that is missing or damaged is not current; one without
    provenance is judged by its digest alone. Reads JSON without the models: thousands in a second.
    """
    try:
        record = json.loads(read_bytes(path))
        found = record.get("run_digest") or record.get("digest")
        provenance = record.get("provenance") or {}
        engine = "" if provenance.get("image_digest") == UNKNOWN else provenance.get("engine")
    except (StudyError, ValueError, AttributeError):
        return False
    return found == digest and (None in (engine, in_image) or bool(engine) == in_image)


def is_asked_for(path: Path, made_from: str) -> bool:
    """Whether the record of an image is of what the configuration asks for now; a damaged one is not."""
    try:
        return bool(json.loads(read_bytes(path)).get("made_from") == made_from)
    except (StudyError, ValueError, AttributeError):
        return False
