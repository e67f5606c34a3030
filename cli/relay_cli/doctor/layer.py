"""The check that what runs is what stands in this checkout.

A zip's directory, at its end, has a checksum of each file. So the layer itself is compared, and
little of it has to be fetched.
"""

import io
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from relay_cli.clients.aws import translate_errors
from relay_cli.doctor.check import Case, Check, Fault, check_of
from relay_cli.terminal.errors import CliError

SOURCES: Final = Path(__file__).resolve().parents[3] / "layers" / "relay" / "relay"
_FOLDER: Final = "python/relay/"
_END_BYTES: Final = 2 * 1024 * 1024
_SECONDS: Final = 15


def layer(case: Case) -> Check:
    """Every function carries the same layer, and its sources are those of this checkout."""
    return check_of("layer", "the functions run what stands in this checkout", [*_faults(case)])


def _faults(case: Case) -> Iterator[Fault]:
    if not SOURCES.is_dir():
        yield Fault("there are no sources here to compare with", "run it in a checkout")
        return
    carried = {arn for function in _running(case) for arn in _layers(case, function)}
    if len(carried) != 1:
        what = f"the functions carry {len(carried)} layers, and should share one"
        yield Fault(what, "make deploy")
        return
    name, _, version = carried.pop().partition(":layer:")[2].partition(":")
    with translate_errors("Lambda"):
        answer = case.client("lambda").get_layer_version(LayerName=name, VersionNumber=int(version))
    deployed = checksums(case.download(answer["Content"]["Location"]))
    differ = differences(deployed, own_checksums())
    if differ:
        what = f"{len(differ)} files of the layer are not as in this checkout, as {differ[0]}"
        yield Fault(what, "make deploy, or check out what is deployed")


def _running(case: Case) -> Iterator[str]:
    """Each function's name, or the ARN of its alias: the newest version may not be what runs."""
    aliases = case.resources.get("AWS::Lambda::Alias", [])
    for name in case.resources.get("AWS::Lambda::Function", []):
        yield next((one for one in aliases if f":function:{name}:" in one), name)


def _layers(case: Case, function: str) -> list[str]:
    with translate_errors("Lambda"):
        answer: Any = case.client("lambda").get_function_configuration(FunctionName=function)
    return [one["Arn"] for one in answer.get("Layers", [])]


def checksums(end: bytes) -> dict[str, int]:
    """The CRC-32 of the layer's own sources, from the end of its zip; raises `CliError`."""
    try:
        names = zipfile.ZipFile(io.BytesIO(end)).infolist()
    except zipfile.BadZipFile:
        raise CliError("the layer's file is no zip that can be read") from None
    return {
        one.filename.removeprefix(_FOLDER): one.CRC
        for one in names
        if one.filename.startswith(_FOLDER) and one.filename.endswith(".py")
    }


@cache
def own_checksums() -> Mapping[str, int]:
    """The same of the sources here."""
    return {
        file.relative_to(SOURCES).as_posix(): zlib.crc32(file.read_bytes())
        for file in SOURCES.rglob("*.py")
    }


def differences(one: Mapping[str, int], other: Mapping[str, int]) -> list[str]:
    """The files that differ, or that only one of them has."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def end_of_file(url: str) -> bytes:
    """The last two mebibytes at a URL; raises `CliError`."""
    if not url.startswith(("https://", "http://127.0.0.1")):
        raise CliError("Lambda named no address to fetch the layer from")
    request = urllib.request.Request(url, headers={"Range": f"bytes=-{_END_BYTES}"})  # noqa: S310 - see above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - see above
            content: bytes = response.read()
    except OSError as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise CliError(f"the layer cannot be fetched: {reason}") from error
    return content
