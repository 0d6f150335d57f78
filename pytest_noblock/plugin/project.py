"""Which project a report is of: so that paths can be told from the top of its repository, and reports be merged."""

from pathlib import Path

_REPOSITORIES = (".git", ".hg", ".jj")


def root_and_folder(rootdir: Path) -> tuple[str, str]:
    """The name of pytest's rootdir, and where it lies in its repository: `services/api`, `.` for its top.

    Without a repository the latter is empty.

    No path of the machine is told: it differs from host to host.
    """
    for folder in (rootdir, *rootdir.parents):
        if any((folder / name).exists() for name in _REPOSITORIES):
            return rootdir.name, rootdir.relative_to(folder).as_posix()
    return rootdir.name, ""


def version() -> str:
    """Of this package, as it is installed; empty where it is not."""
    from importlib import metadata

    try:
        return metadata.version("pytest-noblock")
    except metadata.PackageNotFoundError:
        return ""
