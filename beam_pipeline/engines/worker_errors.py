"""What made a runner or its worker fail, from what Beam quotes."""

import re
from typing import Final

from transforms import errors
from transforms.errors import BuildError, ConfigError

_MARK: Final = " [while running"

# How a worker's traceback ends, wherever a runner quotes it.
_QUOTED_ERROR: Final = re.compile(
    r"transforms\.errors\.(?P<kind>\w+): (?P<message>.*?)"
    r"(?= \[while running|\n\n|\nDuring handling|\Z)",
    re.DOTALL,
)


# What Beam says where it cannot download the program between it and an engine.
_NO_DOWNLOAD: Final = re.compile(
    r"Unable to fetch remote "
    r"(?:(?P<prism>prism)|job server jar at \S*-(?P<name>flink|spark)-)"
)


def worker_error(error: Exception) -> BuildError | None:
    """Returns the error of ours that made a worker fail, if one did.

    Runners report a worker's exception as text, a traceback in a message of their own.
    That of a step that ran in this process is the exception itself.
    """
    if isinstance(error, BuildError):
        # Raised in this process, and marked by Beam with the step.
        return type(error)(str(error).partition(_MARK)[0])
    if missing := _NO_DOWNLOAD.search(str(error)):
        name = missing["prism"] or missing["name"]
        flag = "prism_location" if name == "prism" else f"{name}_job_server_jar"
        return ConfigError(
            f"--engine {name} needs a program of Beam's that could not be downloaded. "
            f"Make it as docs/running/{name}.md says, and pass --{flag}."
        )
    quoted = list(_QUOTED_ERROR.finditer(str(error)))
    if not quoted:
        return None
    found = quoted[-1]  # those before it are what it was raised from
    kind = getattr(errors, found["kind"], BuildError)
    restored = kind(found["message"].strip())
    return restored if isinstance(restored, BuildError) else None
