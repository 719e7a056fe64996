"""Depth models, our own and third-party, behind one contract: `forward(batch: dict) -> dict`."""

from avsnet.models.info import OUTPUT_KINDS, ModelInfo
from avsnet.models.registry import create_model, list_models, model_info, register_model

__all__ = ["OUTPUT_KINDS", "ModelInfo", "create_model", "list_models", "model_info", "register_model"]
