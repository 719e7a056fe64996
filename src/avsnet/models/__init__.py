"""Depth models, our own and anyone's, behind one contract: `forward(batch: dict) -> dict`."""

from avsnet.models.registry import (
    OUTPUT_KINDS,
    ModelInfo,
    create_model,
    list_models,
    model_info,
    register_model,
)

__all__ = ["OUTPUT_KINDS", "ModelInfo", "create_model", "list_models", "model_info", "register_model"]
