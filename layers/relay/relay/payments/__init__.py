"""Payments: maps payment providers' webhooks to AppsFlyer events.

Each provider is one module. It verifies a webhook (`verify`), keeps the fields that matter
(`parse`), and says what they mean (`interpret`). All later steps know only movements of money.
"""
