"""Files of the project that commands read: in a checkout where they stand, in a wheel beside us."""

from pathlib import Path
from typing import Final

_OURS: Final = Path(__file__).resolve()
_PACKAGED: Final = _OURS.with_name("data")
CHECKOUT: Final = _OURS.parents[2]
"""The folder of the project, if this is a checkout."""


def resource(name: str) -> Path:
    """The file with this path in the project, such as `docs/appsflyer.md`.

    pyproject.toml says which ones a wheel brings (`force-include`).
    """
    packaged = _PACKAGED / name
    return packaged if packaged.exists() else CHECKOUT / name


def is_checkout() -> bool:
    """Whether the template and the functions are here, as the sandbox needs them."""
    return (CHECKOUT / "template.yaml").is_file()
