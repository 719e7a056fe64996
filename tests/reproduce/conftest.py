from toy_systems import cases, models, paper_models, rooms

__all__ = ["cases", "models", "paper_models", "rooms"]
