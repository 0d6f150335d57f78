"""Which app the suite asks: NOBLOCK_FRAMEWORK names its framework."""

import importlib
import os

app_module = importlib.import_module(f"{os.environ['NOBLOCK_FRAMEWORK']}_app")


def prepared():
    """The app, as a client that sends no lifespan needs it."""
    getattr(app_module, "prepare", int)()
    return app_module.app
