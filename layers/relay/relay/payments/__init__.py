"""Payment providers' webhooks: from what a provider tells to what AppsFlyer is to be told.

A provider is one module. It verifies a webhook, keeps the fields that matter (`read`), and says
what they mean (`interpret`). Everything behind that knows only movements of money.
"""
