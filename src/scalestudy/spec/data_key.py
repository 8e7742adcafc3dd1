"""The folder name of a prepared data set: planning knows it without reading data."""

import hashlib
import json
import re

from scalestudy.spec.catalog import DATASETS
from scalestudy.spec.own_code import code_digest
from scalestudy.spec.workload import DataSpec


def prepared_key(spec: DataSpec) -> str:
    """Name the prepared form of a data set, such as ``mnist`` or ``synthetic-1f0c9a3e``.

    Eight hex digits of a hash are added where the loader has options, and for a loader named by import path; the file
    of the user's own loader enters it. Limits (``train``, ``test``) and augmentation do not: they are applied when the
    arrays are loaded.
    """
    if spec.name in DATASETS and not spec.options:
        return spec.name
    code = code_digest(spec.name)
    text = json.dumps([spec.name, spec.options, *([code] if code else [])], sort_keys=True, default=str)
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", spec.name).strip("-")
    return f"{readable}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
