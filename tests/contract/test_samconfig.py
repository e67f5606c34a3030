"""What SAM CLI is told without being asked."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_environment_has_sam_cli_write_out_the_loops_of_the_template() -> None:
    """Without it every command fails, and no environment takes it over from another."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    environments = {name: one for name, one in config.items() if isinstance(one, dict)}
    without = [
        name
        for name, one in environments.items()
        if one.get("global", {}).get("parameters", {}).get("language_extensions") is not True
    ]

    assert "default" in environments
    assert without == []
