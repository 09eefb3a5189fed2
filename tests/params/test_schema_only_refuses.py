"""The schema can refuse a params file, but never change what the file says.

On this ground src/captioning/params/ is no dep of any stage in dvc.yaml.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from imports import ROOT
from pydantic import AfterValidator, BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from captioning.params.schema import Section
from captioning.params.stages import Params, load_params

OWN = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
LOCAL = {"annotations": "captions.json", "images": ["images"], "images_md5": [None]}
# What else must be set so that a value is possible, in the same section.
COMPANIONS = {
    "datasets.coco_captions.annotations_md5": LOCAL,
    "datasets.coco_captions.images_md5": LOCAL,
    "datasets.karpathy.annotations_md5": LOCAL,
    "datasets.flickr8k.images_md5": {"source": "/data"},
    "datasets.flickr8k.captions_md5": {"source": "/data"},
    "evaluate.top_k": {"decoder": "sample"},
    "evaluate.top_p": {"decoder": "sample"},
}
EXAMPLES: dict[type, Any] = {int: 1, float: 0.5, str: "0" * 32, list: []}


def sections() -> list[type[Section]]:
    """Every class of the schema, from `Params` down."""
    found: list[type[Section]] = [Params]
    for section in found:
        kinds = [field.annotation for field in section.model_fields.values()]
        found += [k for k in kinds if isinstance(k, type) and issubclass(k, Section)]
    return found


def fields(section: type[Section], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key, dotted, with its type."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from fields(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind


def alternatives(kind: Any, present: Any) -> list[Any]:
    """The choices of a type: named ones, true and false, null; instead of null an example."""
    if get_origin(kind) is Annotated:
        return alternatives(get_args(kind)[0], present)
    if get_origin(kind) is Literal:
        return [*get_args(kind)]
    if get_origin(kind) in (Union, UnionType):
        assert NoneType in get_args(kind)
        (other,) = set(get_args(kind)) - {NoneType}
        examples = [example(other)] if present is None else []
        return [None, *(alternatives(other, present) or examples)]
    return [True, False] if kind is bool else []


def example(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return EXAMPLES[get_origin(kind) or kind]


def lookup(values: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The section that holds a key, and the key's last part."""
    *parents, name = key.split(".")
    for parent in parents:
        values = values[parent]
    return values, name


def changes() -> Iterator[tuple[str, Any]]:
    """Every choice that params.yaml does not make."""
    for key, kind in fields(Params):
        section, name = lookup(OWN, key)
        present = section[name]
        yield from ((key, value) for value in alternatives(kind, present) if value != present)


def test_every_kind_of_choice_is_among_those_tried():
    tried = list(changes())
    assert len(tried) > 40
    for change in [
        ("dataset", "folder"),
        ("model.norm", "post"),
        ("model.tie_embeddings", False),
        ("model.key_size", 1),
        ("train.clip_norm", None),
        ("train.average_weights", 0.5),
        ("datasets.conceptual_captions.training_md5", "0" * 32),
        ("datasets.coco_captions.images_md5", None),
        ("evaluate.tokenizer", "ptb"),
    ]:
        assert change in tried


@pytest.mark.parametrize(("key", "value"), changes(), ids=lambda value: str(value)[:40])
def test_loading_gives_what_the_file_says(tmp_path, key, value):
    values = deepcopy(OWN)
    section, name = lookup(values, key)
    section |= COMPANIONS.get(key, {})
    section[name] = value
    (tmp_path / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
    assert load_params(tmp_path / "params.yaml").model_dump() == values


def test_loading_the_repositorys_params_gives_what_the_file_says():
    params = load_params(ROOT / "params.yaml")
    assert params.model_dump() == OWN
    assert list(params.model_dump()) == list(OWN)


def body(section: type[BaseModel], base: type[BaseModel]) -> set[str]:
    """What a class defines itself, beside its fields."""

    class Plain(base):  # type: ignore[misc,valid-type]
        """A class with a field alone."""

        field: int

    return {name for name in set(vars(section)) - set(vars(Plain)) if not name.startswith("_abc_")}


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_no_section_has_defaults_or_computes_anything(section):
    assert issubclass(section, Section) and section.model_config == Section.model_config
    for name, field in section.model_fields.items():
        assert field.is_required(), f"{name} has a default"
        assert not (field.alias or field.validation_alias or field.serialization_alias)
        assert not field.exclude
        assert_only_constrains(field.annotation, *field.metadata)
    decorators = section.__pydantic_decorators__
    validators = decorators.model_validators
    for kind in ("field_validators", "validators", "root_validators", "computed_fields"):
        assert not getattr(decorators, kind), kind
    assert not decorators.field_serializers and not decorators.model_serializers
    assert body(section, Section) <= set(validators)
    assert body(Section, BaseModel) == {"__hash__"}  # Of a frozen class.


def assert_only_constrains(kind: Any, *metadata: Any) -> None:
    """A type's constraints can refuse a value; none can replace it."""
    for constraint in metadata:
        if isinstance(constraint, FieldInfo):
            assert constraint.is_required()
            assert_only_constrains(None, *constraint.metadata)
        elif type(constraint).__module__ != "annotated_types":  # There are bounds and lengths.
            assert set(getattr(constraint, "__dict__", ())) == {"pattern"}, constraint
    if get_origin(kind) is Annotated:
        assert_only_constrains(get_args(kind)[0], *kind.__metadata__)
    elif get_origin(kind) is not Literal:
        for part in get_args(kind):
            assert_only_constrains(part)


def validated() -> Iterator[tuple[Section, Any]]:
    """Every validator of the schema, with a section of the repository's params."""
    pending: list[Section] = [load_params(ROOT / "params.yaml")]
    for section in pending:
        pending += [value for _, value in section if isinstance(value, Section)]
        for validator in type(section).__pydantic_decorators__.model_validators.values():
            yield section, validator


def test_validators_return_the_section_itself():
    found = list(validated())
    assert len(found) >= 5
    for section, validator in found:
        assert validator.info.mode == "after"
        assert validator.func(section) is section
        tree = ast.parse(textwrap.dedent(inspect.getsource(validator.func)))
        returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
        assert [ast.unparse(value) for value in returned if value] == ["self"] * len(returned)
        # A frozen section can be changed only past its own guard.
        assert "__setattr__" not in ast.unparse(tree) and "__dict__" not in ast.unparse(tree)


def test_nothing_else_in_the_folder_touches_values():
    functions = {
        f"{path.stem}.{node.name}"
        for path in Path(inspect.getfile(Params)).parent.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert functions == {
        "schema.check_values",
        "schema.load_section",
        "schema.problem_text",
        "schema._readable",
        "schema._shortened",
        "stages.load_params",
        "yaml_file.read_mapping",
        "yaml_file.parse_mapping",
        "yaml_file._one_line",
    }


def test_a_class_that_could_change_a_value_is_found():
    class Stripped(Section):
        text: Annotated[str, StringConstraints(strip_whitespace=True)]

    class Halved(Section):
        rate: Annotated[float, AfterValidator(lambda value: value / 2)] | None

    class WithDefault(Section):
        seed: int = 1

    class WithProperty(Section):
        seed: int

        @property
        def double(self) -> int:
            return 2 * self.seed

    for section, problem in (
        (Stripped, "strip_whitespace"),
        (Halved, "AfterValidator"),
        (WithDefault, "seed has a default"),
        (WithProperty, "double"),
    ):
        with pytest.raises(AssertionError, match=problem):
            test_no_section_has_defaults_or_computes_anything(section)
