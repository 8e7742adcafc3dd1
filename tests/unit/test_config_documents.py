"""config.yaml, its schema and its page agree with the models."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from scalestudy.spec import config, container, options, repeats, workload
from scalestudy.spec.base import SpecModel
from scalestudy.spec.catalog import DATASETS, MODELS, STRATEGIES
from scalestudy.spec.options import DATASET_OPTIONS, MODEL_OPTIONS, STRATEGY_OPTIONS
from scalestudy.spec.schema import schema_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")


def all_models() -> list[type[SpecModel]]:
    modules = (config, container, options, repeats, workload)
    found = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    models = {
        model for model in found if issubclass(model, SpecModel) and model.__module__.startswith("scalestudy.spec")
    }
    return sorted(models - {SpecModel, options.NoOptions}, key=lambda model: model.__name__)


def default_text(field) -> str:
    if field.is_required():
        return "must be given"
    value = field.default
    if isinstance(value, SpecModel):
        return ""
    if value is None:
        return "none"
    if value == "":
        return '`""`'
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_the_committed_schema_is_that_of_the_models():
    committed = (ROOT / "workflow" / "schemas" / "config.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: python -m scalestudy.spec.schema > workflow/schemas/config.schema.json"


def test_the_schema_accepts_the_committed_config_and_refuses_a_misspelled_key():
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    data = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert list(validator.iter_errors(data)) == []
    data["studys"] = {}
    assert len(list(validator.iter_errors(data))) == 1


def test_the_committed_config_names_its_schema_for_editors():
    first = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert (ROOT / first.split("$schema=")[1]).is_file()


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
def test_the_page_has_each_key_with_its_default_and_meaning(model):
    for key, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{key} says nothing of its meaning"
        meaning = field.description.replace("\n", " ").replace("``", "`")
        assert f"| `{key}` | {default_text(field)} | {meaning} |" in PAGE


def test_the_page_names_every_strategy_model_and_data_set():
    assert [name for name in (*STRATEGIES, *MODELS, *DATASETS) if f"`{name}`" not in PAGE] == []


def test_the_catalog_lists_the_options_that_are_checked():
    tables = ((STRATEGIES, STRATEGY_OPTIONS), (MODELS, MODEL_OPTIONS), (DATASETS, DATASET_OPTIONS))
    for catalog, models in tables:
        assert models.keys() <= catalog.keys()
        for name, facts in catalog.items():
            assert set(facts.options) == set(models[name].model_fields if name in models else ())
