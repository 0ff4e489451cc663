"""Usage records in the shapes of a real year, made inside PostgreSQL.

A few users make most of the requests, days are busier than nights, prompts have sizes over three orders of
magnitude, some of them come again, and some requests fail. The numbers ascend with time, as in the service.
"""

from collections.abc import AsyncGenerator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import micros

USERS = 1000  # with three keys and four models each; there are 24 models and 40 projects
DAYS = 365
_BATCH = 250_000

# A time is a day and a fraction, which is bent so that nights are quiet.
_MAKE = """
INSERT INTO usage_records (
    request_id, created_at, user_id, credential_id, surface, operation, requested_model, provider, model, status_code,
    outcome, error_reason, streamed, attempts, latency_us, ttft_us, input_tokens, output_tokens, cached_input_tokens,
    cache_write_tokens, reasoning_tokens, audio_input_tokens, audio_output_tokens, token_source, cost_nanousd,
    price_source, messages, prompt_hash, project
)
SELECT
    'req_' || md5('id' || n), created_at, user_id, credential_id,
    CASE WHEN n % 3 = 0 THEN 'gateway' ELSE 'openai' END, 'chat_completion', 'model-' || model,
    'provider-' || model % 6, 'model-' || model || '-2026', status,
    CASE status WHEN 200 THEN 'answered' WHEN 499 THEN 'hung_up' ELSE 'failed' END,
    CASE status WHEN 200 THEN '' WHEN 499 THEN 'CANCELLED' ELSE 'PROVIDER_ERROR' END,
    n % 2 = 0, 1, 200000 + output * 15000, CASE WHEN n % 2 = 0 THEN 200000 + input * 20 END,
    input, output, input / 4, 0, output / 5, 0, 0, 'provider',
    CASE WHEN model % 12 = 11 THEN NULL ELSE (input * (1 + model) + output * (4 + 4 * model)) * 100 END,
    'a price list', 1 + n % 12, md5(prompt) || md5('b' || prompt), project
FROM (
    SELECT n, at AS created_at, user_id, user_id * 3 + least(2, floor(4 * key * key))::int AS credential_id,
        (user_id * 5 + floor(4 * what * what)::int) % 24 AS model,
        CASE WHEN user_id % 5 < 3 THEN 'project ' || (user_id * 7 + least(2, floor(4 * key * key))::int) % 40
            ELSE '' END AS project,
        CASE WHEN luck < 0.96 THEN 200 WHEN luck < 0.98 THEN 429 WHEN luck < 0.995 THEN 502 ELSE 499 END AS status,
        floor(exp(3 + 5 * size))::int AS input,
        CASE WHEN luck < 0.96 THEN floor(exp(2 + 5 * length))::int ELSE 0 END AS output,
        CASE WHEN luck < 0.12 THEN 'again ' || floor(5000 * again * again)::int ELSE 'new ' || n END AS prompt
    FROM (
        SELECT dice.*, 1 + floor(CAST(:users AS int) * power(who, 3))::int AS user_id,
            CAST(:start AS bigint)
                + floor((day + fraction - 0.11 * sin(2 * pi() * fraction)) * 86400000000)::bigint AS at
        FROM (
            SELECT n, floor(moment) AS day, moment - floor(moment) AS fraction, random() AS who, random() AS what,
                random() AS key, random() AS luck, random() AS size, random() AS length, random() AS again
            FROM (
                SELECT n, n / CAST(:events AS float8) * CAST(:days AS float8) AS moment
                FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
            ) AS numbered
        ) AS dice
    ) AS drawn
) AS shaped
"""


async def make(connection: AsyncConnection, events: int, now: datetime) -> AsyncGenerator[int]:
    """Adds as many records as that, of the year until now; tells after each batch how many there are."""
    start = micros(now) - DAYS * 86_400_000_000
    await connection.execute(sa.text("SELECT setseed(0.42)"))
    statement = sa.text(_MAKE)
    for first in range(0, events, _BATCH):
        last = min(first + _BATCH, events) - 1
        values = {
            "first": first,
            "last": last,
            "start": start,
            "events": float(events),
            "days": float(DAYS),
            "users": USERS,
        }
        await connection.execute(statement, values)
        yield last + 1
