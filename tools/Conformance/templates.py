# What Python's jinja2 makes of conversations under the settings of transformers: python3 templates.py TASKS OUT
# TASKS is JSON lines: the first is {"template": ..., "variables": {...}, "date": "2024-07-26"}, each of the others the variables of one
# rendering. OUT has a line for each of those: {"text": ...} or {"fault": ...}.
import datetime
import json
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main(tasks, out):
    with open(tasks, encoding="utf-8") as lines, open(out, "w", encoding="utf-8") as results:
        first = json.loads(next(lines))
        date = datetime.datetime.fromisoformat(first["date"])
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
        environment.filters["tojson"] = tojson
        environment.globals["raise_exception"] = raise_exception
        environment.globals["strftime_now"] = date.strftime
        template = environment.from_string(first["template"])
        for line in lines:
            try:
                result = {"text": template.render(**first["variables"], **json.loads(line))}
            except Exception as fault:
                result = {"fault": f"{type(fault).__name__}: {fault}"}
            results.write(json.dumps(result) + "\n")


main(*sys.argv[1:])
