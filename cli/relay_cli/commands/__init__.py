"""How each command is called: its options and help.

What a command needs is imported when it runs: `relay check` must not wait for boto3, which it
never uses.
"""
