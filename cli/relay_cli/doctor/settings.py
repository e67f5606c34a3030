"""The checks of what is set up in Parameter Store."""

from collections.abc import Callable, Iterable, Sized

from relay.errors import ConfigurationError
from relay_cli.doctor.check import QUICK, Case, Check, Fault, check_of
from relay_cli.settings import judge
from relay_cli.settings.judge import PRODUCERS, PUSH_SENDERS, Settings
from relay_cli.settings.parameters import Parameters

NAMES = ("apps", "producers", "push_senders", "sources", "tokens")


def settings_checks(case: Case) -> list[Check]:
    """All of them, of one reading; raises `CliError`."""
    stored = Parameters(case.installation, config=QUICK).read_all()
    settings = Settings(case.installation.prefix, stored)
    tokens = sum(name.partition("/")[0] in {"tokens", "webhook_secrets"} for name in stored)
    return [
        _check("apps", f"{_count(len(settings.apps), 'app')} set up", settings.app_faults(), case),
        _senders(PRODUCERS, settings, case),
        _senders(PUSH_SENDERS, settings, case),
        _check(
            "sources",
            f"{_counted(settings.sources, 'payment source')} set up",
            settings.source_faults(case.now),
            case,
        ),
        _check(
            "tokens",
            f"{_count(tokens, 'token or secret', 'tokens and secrets')}, none older than "
            f"{judge.OLD.days} days",
            settings.token_faults(case.now),
            case,
        ),
    ]


def _senders(name: str, settings: Settings, case: Case) -> Check:
    good = f"{_counted(lambda: settings.senders(name).producers, 'sender')} set up"
    return _check(name, good, settings.sender_faults(name), case)


def _check(name: str, good: str, faults: Iterable[judge.Fault], case: Case) -> Check:
    found = [
        Fault(f"{one.parameter}: {one.problem}", _with_option(one.do, case.option))
        for one in faults
    ]
    return check_of(name, good, found)


def _with_option(advice: str, option: str) -> str:
    return f"{advice}{option}" if advice.startswith("relay setup") and "," not in advice else advice


def _counted(find: Callable[[], Sized], what: str) -> str:
    try:
        return _count(len(find()), what)
    except ConfigurationError:
        return ""  # its fault is told instead


def _count(number: int, what: str, plural: str = "") -> str:
    return f"{number} {what if number == 1 else plural or f'{what}s'}"
