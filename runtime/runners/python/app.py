"""The runner for handlers in Python: the component of the world `codenode:node/runner`.

Everything that this imports is in the component's image, and nothing can be imported later: there is no file system where it runs.
"""

import wit_world
from componentize_py_types import Err

# First what every run uses, so that it lies together in memory: a run writes to half as many pages.
from codenode_runner import handler, program
from codenode_runner.failures import Failed
from codenode import log
from codenode_runner import image


class WitWorld(wit_world.WitWorld):
    def compile(self, file: str, source: str) -> bytes:
        try:
            return program.build(file, source)
        except Failed as failed:
            raise Err(log.clean(str(failed))) from None

    def run(self, program: bytes, event: str, context: str) -> str:
        try:
            return handler.run(program, event, context)
        except Failed as failed:
            raise Err(log.clean(str(failed))) from None


image.prepare()
