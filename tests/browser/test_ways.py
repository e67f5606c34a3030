"""The ways that people take through the page, from the first event to a refund."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.visit import Visit

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("sandbox for the page"),
]


def event(event_id: str, *, name: str = "af_purchase", **overrides: Any) -> str:
    """An envelope as text; its event is of a minute ago."""
    content = {
        "appsflyer_id": "1624875600000-2718281",
        "eventName": name,
        "eventTime": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds"),
        "eventValue": {"af_revenue": "4.99"},
        "eventCurrency": "EUR",
        **overrides.pop("event", {}),
    }
    head = {"app_id": "com.example.shop", "kind": "mobile_event", "event_id": event_id}
    return json.dumps({**head, **overrides, "event": content}, indent=2)


def row(page: Page, event_id: str) -> Any:
    """The newest row with this event id."""
    return page.locator(".events tbody tr").filter(has_text=event_id).first


async def choose_fault(visit: Visit, title: str) -> None:
    await visit.move("#/faults")
    await visit.page.get_by_role("button", name=f"Set: {title}").click()
    await expect(visit.page.locator(".fault-bar")).to_be_visible()


async def test_an_event_handed_in_elsewhere_appears_with_its_day_line(visit: Visit) -> None:
    await visit.send(event("way-first"))

    found = row(visit.page, "way-first")
    await expect(found.locator(".chip").first).to_have_text("✓ delivered")
    await expect(found.get_by_role("img")).to_have_attribute("aria-label", _has("Day line of"))
    await expect(found).to_contain_text("keeps")
    await found.get_by_role("link").click()
    detail = visit.page.locator(".detail-pane")
    await expect(detail.locator(".verdict")).to_contain_text("Delivered at once.")
    await expect(detail.locator(".steps li")).not_to_have_count(0)
    await expect(detail.locator(".size")).to_contain_text("of at most 1,024 bytes")
    assert visit.page.url.endswith("#/events/way-first")


async def test_an_event_is_broken_mended_by_clicks_and_sent(visit: Visit) -> None:
    page = visit.page
    await page.keyboard.press("2")
    await page.get_by_label("The event as JSON").fill(
        event(
            "way-broken", event={"eventCurrency": "EURO", "eventValue": {"af_revenue": "1,234.50"}}
        )
    )

    verdict = page.locator("#verdict")
    await expect(verdict).to_contain_text("Would be rejected.")
    money = page.locator(".findings li").filter(has_text="reject M4")
    await money.get_by_role("button", name="line 10").click()
    selected = "(field) => field.value.slice(field.selectionStart, field.selectionEnd)"
    assert await page.locator("#text").evaluate(selected) == '"1,234.50"'
    await money.get_by_role("button", name="1234.50").first.click()
    # At once: a repair of the text before must not undo the first.
    await page.locator(".findings").get_by_role("button", name="EUR").first.click()
    await expect(verdict).to_contain_text("Would be sent.")
    await expect(page.locator(".read figure")).to_be_visible()
    await page.get_by_label("The event as JSON").press("Control+Enter")
    await expect(page.locator(".detail-pane .verdict")).to_contain_text("Delivered at once.")
    await expect(page.locator(".detail-pane h2")).to_contain_text("1234.50 EUR")


async def test_a_sample_is_what_one_can_begin_with(visit: Visit) -> None:
    await visit.move("#/try")
    await visit.page.get_by_label("The event as JSON").fill("{}")
    await visit.page.get_by_label("Start from").select_option("forward mobile revenue with comma")

    await expect(visit.page.locator("#verdict")).to_contain_text("Would be rejected.")
    await expect(visit.page.locator("#text")).to_have_value(_has('"kind": "mobile_event"'))
    assert await visit.page.get_by_label("Start from").locator("option").count() > 10


async def test_text_that_is_no_json_is_told_with_line_and_column(visit: Visit) -> None:
    await visit.move("#/try")
    await visit.page.get_by_label("The event as JSON").fill('{\n  "a": 1,\n}')

    await expect(visit.page.locator("#verdict")).to_contain_text("Line 3, column 1")
    await expect(visit.page.get_by_role("button", name="Send by SQS")).to_be_disabled()


async def test_a_fault_is_shown_on_every_screen_and_recovery_is_seen(visit: Visit) -> None:
    await choose_fault(visit, "Unavailable")
    bar = visit.page.locator(".fault-bar")
    for screen in ("events", "try", "payments", "dead-letters", "identities"):
        await visit.move(f"#/{screen}")
        await expect(bar).to_contain_text("AppsFlyer answers 503")
    await visit.move("#/events")
    await visit.send(event("way-fault"))

    await expect(row(visit.page, "way-fault").locator(".outcome")).to_contain_text("at try 3")
    await expect(bar).to_be_hidden()  # it was for two answers
    await row(visit.page, "way-fault").get_by_role("link").click()
    detail = visit.page.locator(".detail-pane")
    await expect(detail.locator(".verdict")).to_contain_text("Delivered at the third try.")
    await expect(detail.locator(".steps")).to_contain_text("surely not recorded")


async def test_a_fault_without_end_is_cleared_by_one_click(visit: Visit) -> None:
    await choose_fault(visit, "Silent")
    await visit.page.locator(".fault-bar").get_by_role("button", name="Clear").click()

    await expect(visit.page.locator(".fault-bar")).to_be_hidden()
    assert visit.sandbox.stand_in.faults.as_json() == []


async def test_a_function_killed_in_a_batch_loses_nothing(visit: Visit) -> None:
    await choose_fault(visit, "A function is killed")
    await visit.move("#/events")
    # Without an id, so that no claim of the killed invocation has to run out first.
    without_id = json.loads(event("-", name="way_killed", event={"eventValue": {}}))
    del without_id["event_id"]
    await visit.send(json.dumps(without_id))

    found = row(visit.page, "way_killed")
    await expect(found.locator(".chip").first).to_have_text("✓ delivered", timeout=20_000)
    await found.get_by_role("link").click()
    await expect(visit.page.locator(".steps")).to_contain_text("SQS gives it out again")


async def test_a_dead_letter_is_redriven_and_watched_to_its_end(visit: Visit) -> None:
    page = visit.page
    await visit.move("#/faults")
    await page.get_by_text("Another one, exactly").click()
    await page.get_by_label("Status", exact=True).fill("400")
    await page.get_by_label("Event name").fill("af_redriven")
    await page.locator(".fault-form").get_by_role("button", name="Set").click()
    await expect(page.locator(".fault-bar")).to_contain_text("AppsFlyer answers 400")
    await visit.send(event("way-letter", name="af_redriven"))
    await visit.move("#/dead-letters")
    card = page.locator(".letter").filter(has_text="way-letter")
    await expect(card).to_contain_text("Cure: Compare what was sent with what AppsFlyer says")
    await page.locator(".fault-bar").get_by_role("button", name="Clear").click()
    await card.get_by_role("button", name="Redrive").click()

    watched = page.get_by_role("region", name="Redriven")
    await expect(watched).to_contain_text("all have ended")
    await expect(watched.locator("li").filter(has_text="way-letter")).to_contain_text("delivered")
    await expect(card).to_be_hidden()


async def choose_telling(page: Page, *, order: str, times: str, signature: str) -> None:
    await page.get_by_label("Order").select_option(order)
    await page.get_by_label("Each webhook").select_option(times)
    await page.get_by_label("Signature").select_option(signature)


async def test_a_refund_told_before_its_payment_is_counted_once(visit: Visit) -> None:
    await visit.page.keyboard.press("3")
    button = visit.page.get_by_role("button", name="refund of Stripe", exact=False).first
    await button.wait_for()
    stories = visit.page.locator(".story")
    before = await stories.count()
    await choose_telling(visit.page, order="reversed", times="2", signature="right")
    await button.click()

    await expect(stories).to_have_count(before + 2)
    for story, amount in ((0, " 9.99 EUR"), (1, "−9.99 EUR")):
        await expect(stories.nth(story)).to_contain_text("counted once")
        await expect(stories.nth(story).locator(".lane").nth(1)).to_contain_text(amount)


async def test_a_webhook_with_a_wrong_signature_becomes_nothing(visit: Visit) -> None:
    page = visit.page
    await visit.move("#/payments")
    await choose_telling(page, order="usual", times="1", signature="wrong_signature")
    await page.get_by_role("button", name="purchase of Paddle", exact=False).first.click()

    await expect(page.locator(".story").first).to_contain_text("401 refused")
    await expect(page.locator(".story").first).to_contain_text("nothing was taken")


async def test_a_held_event_goes_once_its_customer_is_added(visit: Visit) -> None:
    page = visit.page
    content = {"appsflyer_id": None, "customer_user_id": "customer-of-way"}
    without_id = json.loads(event("way-held", event=content))
    del without_id["event"]["appsflyer_id"]
    await visit.send(json.dumps(without_id))
    await expect(row(page, "way-held").locator(".chip").first).to_have_text("‖ held")
    await page.keyboard.press("6")
    waiting = page.locator(".letter-rows li").filter(has_text="customer-of-way")
    await waiting.get_by_role("button").click()
    await page.get_by_role("button", name="Add", exact=True).click()

    await expect(page.locator(".verdict.good")).to_contain_text("1 of 1 held event has gone")
    await expect(page.locator(".plain")).to_contain_text("customer-of-way")


async def test_everything_is_reached_by_keys_alone(visit: Visit) -> None:
    page, keys = visit.page, visit.page.keyboard
    for number in ("1", "2"):
        await visit.send(event(f"way-keys-{number}"))
    await expect(row(page, "way-keys-2")).to_be_visible()
    await keys.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("edit and send")
    await keys.press("Escape")
    await keys.press("/")
    await keys.type("id:way-keys-1")
    await expect(page.locator(".events tbody tr")).to_have_count(1)
    assert "?q=id:way-keys-1" in page.url
    await keys.press("Escape")
    await keys.press("j")
    await expect(page.locator(".detail-pane h2")).to_contain_text("af_purchase")
    await expect(row(page, "way-keys-1").get_by_role("link")).to_be_focused()
    await expect(page.locator(".steps")).to_be_visible()
    await keys.press("e")
    await expect(page.get_by_label("The event as JSON")).to_have_value(_has('"way-keys-1"'))
    await keys.press("5")
    await expect(page.get_by_role("heading", name="Faults")).to_be_visible()


async def test_what_was_sent_or_begins_as_a_sample_has_an_id_of_its_own(visit: Visit) -> None:
    """The next event that somebody sends from here is another one."""
    page = visit.page
    await page.keyboard.press("2")
    text = page.get_by_label("The event as JSON")
    await text.fill(event("way-own-id"))
    await expect(page.locator("#verdict")).to_contain_text("Would be sent.")
    await text.press("Control+Enter")
    await expect(page.locator(".detail-pane .verdict")).to_contain_text("Delivered at once.")
    await page.keyboard.press("2")
    await expect(text).to_have_value(_has('"order-'))
    await expect(text).not_to_have_value(_has('"way-own-id"'))
    await page.get_by_label("Start from").select_option("forward mobile purchase")
    await expect(text).to_have_value(_has('"af_quantity"'))

    await expect(text).not_to_have_value(_has('"order-1001",'))
    number = page.locator(".paint .json-number").first
    assert await number.evaluate("one => getComputedStyle(one).display") == "inline"


async def test_an_event_sent_again_is_called_a_duplicate(visit: Visit) -> None:
    await visit.send(event("way-twice"))
    await expect(row(visit.page, "way-twice").locator(".chip").first).to_have_text("✓ delivered")
    await row(visit.page, "way-twice").get_by_role("link").click()
    await expect(visit.page.locator(".steps")).to_be_visible()
    await visit.page.keyboard.press("r")

    await expect(visit.page.locator(".detail-pane .verdict")).to_contain_text("Duplicate.")


async def test_new_rows_wait_while_somebody_reads(visit: Visit) -> None:
    await visit.send(event("way-read"))
    await row(visit.page, "way-read").get_by_role("link").click()
    await expect(visit.page.locator(".steps")).to_be_visible()
    for number in range(2):
        await visit.send(event(f"way-new-{number}"))

    await expect(visit.page.locator(".new-bar")).to_contain_text("2 new")
    await expect(row(visit.page, "way-new-1")).to_have_count(0)
    await visit.page.keyboard.press("n")
    await expect(row(visit.page, "way-new-1")).to_be_visible()


async def test_a_paused_page_stands_still_and_says_what_it_missed(visit: Visit) -> None:
    await visit.page.keyboard.press("p")
    await visit.send(event("way-paused"))

    await expect(visit.page.locator(".live")).to_have_text("Paused, 1 new")
    await expect(row(visit.page, "way-paused")).to_have_count(0)
    await visit.page.keyboard.press("p")
    await expect(row(visit.page, "way-paused")).to_be_visible()


async def test_an_address_restores_the_view_for_somebody_elsewhere(
    open_page: Open, visit: Visit
) -> None:
    await visit.send(event("way-shared"))
    await expect(row(visit.page, "way-shared")).to_be_visible()

    other = await open_page(
        "#/events/way-shared?q=id:way-shared", timezone_id="Asia/Kolkata", locale="hi-IN"
    )

    await expect(other.page.locator(".events tbody tr")).to_have_count(1)
    await expect(other.page.get_by_label("Search events")).to_have_value("id:way-shared")
    await expect(other.page.locator(".detail-pane .sub").first).to_contain_text("way-shared")


def _has(part: str) -> re.Pattern[str]:
    return re.compile(re.escape(part))
