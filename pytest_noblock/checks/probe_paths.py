"""Probe paths, as people write them."""


def of(value: object) -> tuple[str, ...]:
    """One path or several. Raises ValueError, in one sentence."""
    paths = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not paths or not all(isinstance(path, str) and path.startswith("/") for path in paths):
        raise ValueError(f'{value!r} is not a path or a list of paths: write "/health"')
    return paths
