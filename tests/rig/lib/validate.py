"""Validates many objects against the strict schemas of Kubernetes in one process: one run of the program for each would take minutes.

Reads a JSON list from stdin, [{"name": NAME, "version": "1.25", "objects": [...]}, ...]; prints a line for each problem and last how many
objects it looked at.
"""

import functools
import json
import sys

from kubernetes_validate import utils

# The package reads the same few files for every object.
utils.schema_contents = functools.lru_cache(None)(utils.schema_contents)

count = 0
for batch in json.load(sys.stdin):
    for thing in batch["objects"]:
        count += 1
        where = f'{batch["name"]} {batch["version"]} {thing["kind"]}/{thing["metadata"]["name"]}'
        try:
            used = utils.validate(thing, batch["version"], strict=True)
            # Asked for a version that it does not carry, the package takes the one before.
            if used != batch["version"]:
                print(f"{where}: there is no schema of this version")
        except utils.ValidationError as error:
            print(f'{where}: {".".join(str(step) for step in error.absolute_path)}: {error.message}')
        except utils.SchemaNotFoundError as error:
            print(f"{where}: {error.message}")
print(count)
