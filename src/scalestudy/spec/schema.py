"""The JSON schema of config.yaml, for editors.

Written by ``python -m scalestudy.spec.schema > workflow/schemas/config.schema.json``.
"""

import json
import sys

from scalestudy.spec.config import Config


def schema_text() -> str:
    """The schema as committed; the same text for the same models."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
