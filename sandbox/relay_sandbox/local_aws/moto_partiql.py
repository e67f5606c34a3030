"""DynamoDB's BatchExecuteStatement for moto, for the one statement that the relay sends.

moto 5.2 overwrites an existing item on INSERT, and fails on an INSERT that contains text. DynamoDB
reports `DuplicateItem` for that statement and executes the others.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import Any

from moto.dynamodb.exceptions import ConditionalCheckFailed, MockValidationException
from moto.dynamodb.models import DynamoDBBackend

_INSERT = re.compile(r'INSERT INTO "(?P<table>[A-Za-z0-9_.-]+)" VALUE \{(?P<fields>[^{}]+)\}')
_FIELD = re.compile(r"'(?P<name>\w+)': (?P<value>\?|'[^']*')")
_LOCK = Lock()  # moto serves each request in its own thread

Json = dict[str, Any]


def patch_moto() -> None:
    """Patch moto in this process. It then rejects every statement but the relay's own."""
    DynamoDBBackend.batch_execute_statement = _batch_execute_statement


def _batch_execute_statement(self: DynamoDBBackend, statements: list[Json]) -> list[Json]:
    with _LOCK:
        return [_insert(self, one["Statement"], one["Parameters"]) for one in statements]


def _insert(backend: DynamoDBBackend, statement: str, parameters: list[Json]) -> Json:
    insert = _INSERT.fullmatch(statement)
    if insert is None:
        return {"Error": {"Code": "ValidationError", "Message": "only INSERT is known here"}}
    table, given = insert["table"], iter(parameters)
    item = {
        field["name"]: next(given) if field["value"] == "?" else {"S": field["value"][1:-1]}
        for field in _FIELD.finditer(insert["fields"])
    }
    if table not in backend.tables:
        return {"Error": {"Code": "ResourceNotFound", "Message": "Requested resource not found"}}
    try:
        backend.put_item(table, item, condition_expression="attribute_not_exists(pk)")
    except ConditionalCheckFailed:
        message = "Duplicate primary key exists in table"
        return {"Error": {"Code": "DuplicateItem", "Message": message}}
    except MockValidationException as error:
        return {"Error": {"Code": "ValidationError", "Message": error.message}}
    return {"TableName": table}
