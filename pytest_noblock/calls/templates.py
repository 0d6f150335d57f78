"""The line of a template as the user wrote it, from a frame of the Python that the template was compiled to.

What this module reads of the template engines, with the versions it was seen on. Where another version lacks it, the
frame keeps the line of the compiled Python, and the name of its file.

* Jinja 3.1: `__jinja_template__` in the module's globals (set by `Template._from_namespace`) and the public
  `Template.get_corresponding_lineno`. The code's file is the template's file already.
* Mako 1.4: `_template_uri` and `_template_filename` in the module's globals, `mako.template._get_module_info` by the
  code's file and `ModuleInfo.get_module_source_metadata`, as `mako.exceptions.RichTraceback` reads them.
"""

import sys
from collections.abc import Mapping
from types import CodeType

from pytest_noblock.model.frames import Frame

_JINJA = "jinja2.Template.render"
_MAKO = "mako.template.Template.render"


def written(code: CodeType, line: int, namespace: Mapping[str, object]) -> Frame:
    """The frame by the template's own file and line; as it is where the engine does not tell. Raises nothing."""
    try:
        if "__jinja_template__" in namespace:
            template = namespace["__jinja_template__"]
            return Frame(code.co_filename, template.get_corresponding_lineno(line), code.co_name, _JINJA)  # type: ignore[attr-defined]
        file, number = _of_mako(code, line, namespace)
        return Frame(file, number, code.co_name, _MAKO)
    except Exception:  # noqa: BLE001  # other versions, and whatever stands in for them
        return Frame(code.co_filename, line, code.co_name)


def _of_mako(code: CodeType, line: int, namespace: Mapping[str, object]) -> tuple[str, int]:
    template = sys.modules["mako.template"]
    info = template._get_module_info(code.co_filename)  # noqa: SLF001  # see above
    lines = template.ModuleInfo.get_module_source_metadata(info.code, full_line_map=True)["full_line_map"]
    file = namespace.get("_template_filename") or info.template_filename
    return str(file or code.co_filename), lines[min(line, len(lines)) - 1]
