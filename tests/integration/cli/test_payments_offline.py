"""`relay payments story`, `explain` of several files, and `verify`: as users run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.integration.cli.conftest import ROOT, Run, in_terminal, lines

DATA = ROOT / "tests" / "data"
WEBHOOKS = DATA / "webhooks"
VECTORS: list[dict[str, Any]] = json.loads(
    (DATA / "webhook_signatures.json").read_text(encoding="utf-8")
)
STRIPE = next(one for one in VECTORS if one["id"] == "stripe-valid")
PAYMENT = ("stripe_invoice_paid_first", "stripe_invoice_payment_paid", "stripe_refund_created")


def story_of(*samples: str) -> bytes:
    bodies = [json.loads((WEBHOOKS / f"{name}.json").read_text("utf-8")) for name in samples]
    webhooks = [{"after_days": 1, "body": body} for body in bodies]
    settings = {"apps": {"mobile": ["id1234567890"]}}
    return json.dumps({"provider": "stripe", "settings": settings, "webhooks": webhooks}).encode()


def test_story_as_json_is_one_line_of_events_and_dead_letters(run: Run) -> None:
    done = run("payments", "story", "-", "--json", stdin=story_of(*PAYMENT))

    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(done.stdout) == [
        {
            "events": [["af_subscribe", "59.49", "EUR"], ["af_subscribe", "-20.00", "EUR"]],
            "dead": [],
        }
    ]


def test_story_as_a_table_fits_a_terminal(run: Run) -> None:
    done = run("payments", "story", "-", stdin=story_of(*PAYMENT), env={"COLUMNS": "80"})

    shown = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert "sum  " in shown
    assert "+39.49 EUR" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_story_that_is_none_ends_with_2_and_says_all_that_is_wrong(run: Run) -> None:
    done = run("payments", "story", "-", "--json", stdin=b'{"provider": "secret", "webhooks": [1]}')

    assert (done.returncode, done.stdout) == (2, b"")
    assert b"provider: must be one of" in done.stderr
    assert b"webhooks.0: must be an object" in done.stderr
    assert b"secret" not in done.stderr


def test_explain_several_files_shows_what_they_become_together(run: Run) -> None:
    files = [str(WEBHOOKS / f"{name}.json") for name in (*PAYMENT, PAYMENT[0])]

    done = run("payments", "explain", *files)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"2 events, 0 dead letters, 1 told before." in done.stdout
    assert b"+39.49 EUR" in done.stdout


def test_verify_ndjson_answers_each_line_in_its_order_and_ends_with_0(run: Run) -> None:
    given = "\n".join(json.dumps(one) for one in VECTORS) + "\nno JSON\n"

    done = run("payments", "verify", "--ndjson", "-", stdin=given.encode())

    results = lines(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [one["id"] for one in results] == [*(one["id"] for one in VECTORS), None]
    verdicts = [one["valid"] for one in results[:-1]]
    assert verdicts == [one["expected_valid"] for one in VECTORS]


def request(tmp_path: Path) -> list[str]:
    """The options for a webhook in files."""
    (tmp_path / "body.json").write_text(STRIPE["payload"], encoding="utf-8")
    head = "\n".join(f"{name}: {value}" for name, value in STRIPE["headers"].items())
    (tmp_path / "headers.txt").write_text(f"POST /v1/payments/stripe/main HTTP/1.1\n{head}\n\n")
    return ["body.json", "--headers", "headers.txt", "--now", str(STRIPE["now"])]


def test_verify_a_file_says_by_which_secret_it_is_signed(run: Run, tmp_path: Path) -> None:
    secrets = "\n".join(["whsec_another", f" {STRIPE['secrets'][0]} "])

    done = run("payments", "verify", *request(tmp_path), env={"RELAY_WEBHOOK_SECRET": secrets})

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"valid: Stripe, by secret 2 of 2.\n"


def test_verify_asks_for_the_secret_and_does_not_show_it(tmp_path: Path) -> None:
    request(tmp_path)
    secret = STRIPE["secrets"][0]

    code, shown = in_terminal(
        *("payments", "verify", str(tmp_path / "body.json")),
        *("--headers", str(tmp_path / "headers.txt"), "--now", str(STRIPE["now"])),
        question="Secret of Stripe",
        answer=secret,
    )

    assert code == 0, shown
    assert "valid: Stripe." in shown
    assert secret not in shown


def test_commands_need_nothing_of_the_tests() -> None:
    """They are installed without them."""
    files = [*(ROOT / "cli").rglob("*.py"), *(ROOT / "sandbox").rglob("*.py")]

    imports = ("\nfrom tests", "\nimport tests", " from tests.", " import tests.")
    assert [file for file in files if any(one in file.read_text("utf-8") for one in imports)] == []
