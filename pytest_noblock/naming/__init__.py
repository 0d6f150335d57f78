"""From a line of source to the public name of the call it makes; `pytest_noblock.callnames` is the door."""
