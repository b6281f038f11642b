"""How a model is written as JSON: the U-Net's conditions with their channels, for readers that cannot work them out.

In `ModelConfig` the channels follow from the autoencoder; what a file says of them has to be the same.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lite_vton.presets.config import ModelConfig

__all__ = ["WrittenModel", "written_model"]

_Conditions = tuple[tuple[str, int], ...]


class _CountedConditions:
    """Pydantic's hooks of `WrittenModel`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[ModelConfig], handler: GetCoreSchemaHandler) -> CoreSchema:
        # No schema of what it returns: it stays that of the model itself, but for what is said below.
        counting = core_schema.wrap_serializer_function_ser_schema(_counted)
        return core_schema.no_info_wrap_validator_function(_checked, handler(source), serialization=counting)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        model = handler(core)
        unet = handler.resolve_ref_schema(handler.resolve_ref_schema(model)["properties"]["unet"])
        pairs = TypeAdapter(_Conditions).json_schema(mode="serialization")
        unet["properties"]["conditions"] = {"title": "Conditions", **pairs}
        return model


WrittenModel = Annotated[ModelConfig, _CountedConditions]
"""A `ModelConfig` as a field of a pydantic model whose JSON has `unet.conditions` as pairs of name and channels."""


def written_model(config: ModelConfig) -> dict[str, Any]:
    """`config` as the object that a manifest has for it."""
    return cast(dict[str, Any], TypeAdapter(WrittenModel).dump_python(config, mode="json"))


def _counted(config: ModelConfig, handler: core_schema.SerializerFunctionWrapHandler) -> dict[str, Any]:
    found: dict[str, Any] = handler(config)
    found["unet"]["conditions"] = [list(condition) for condition in config.conditions]
    return found


def _checked(found: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> ModelConfig:
    if isinstance(found, ModelConfig):
        return found
    unet = found.get("unet") if isinstance(found, dict) else None
    if not isinstance(unet, dict) or "conditions" not in unet:
        return cast(ModelConfig, handler(found))
    said = TypeAdapter(_Conditions).validate_python(unet["conditions"])
    config: ModelConfig = handler({**found, "unet": {**unet, "conditions": [name for name, _ in said]}})
    for (name, channels), (_, due) in zip(said, config.conditions, strict=True):
        if channels != due:
            raise PydanticCustomError(
                "channels", f"the U-Net is told {name} in {channels} channels, with this autoencoder it is {due}"
            )
    return config
