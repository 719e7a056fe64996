from toy_systems import cases, models, rooms

__all__ = ["cases", "models", "rooms"]
