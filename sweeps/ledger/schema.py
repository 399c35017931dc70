"""Tables of the ledger."""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 5
"""Increased by every change that older ledgers must be migrated for."""

meta = sa.MetaData()

info = sa.Table(
    "info",
    meta,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

prompts = sa.Table(
    "prompts",
    meta,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("system", sa.Text),
    sa.Column("user", sa.Text, nullable=False),
)

generations = sa.Table(
    "generations",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key_sha256", sa.Text, nullable=False, unique=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("model_digest", sa.Text, nullable=False),
    sa.Column("prompt_sha256", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("repeat", sa.Integer, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("text_sha256", sa.Text, nullable=False),
    sa.Column("finish", sa.Text, nullable=False),
    sa.Column("prompt_tokens", sa.Integer),
    sa.Column("output_tokens", sa.Integer),
    sa.Column("cached_tokens", sa.Integer),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("queue_seconds", sa.Float, nullable=False),
    sa.Column("load_seconds", sa.Float, nullable=False),
    sa.Column("prefill_seconds", sa.Float, nullable=False),
    sa.Column("decode_seconds", sa.Float, nullable=False),
    sa.Column("effective", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("thought", sa.Text, nullable=False, server_default=""),
    sa.Column("thinking_tokens", sa.Integer),
)

failures = sa.Table(
    "failures",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key_sha256", sa.Text, nullable=False, index=True),
    sa.Column("study", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

studies = sa.Table(
    "studies",
    meta,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("updated", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text),
)

LATER = (generations.c.thought, generations.c.thinking_tokens, studies.c.sha256)
"""Columns that ledgers of older versions lack; they are added at the first opening for writing."""

proposals = sa.Table(
    "proposals",
    meta,
    sa.Column("study", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

scores = sa.Table(
    "scores",
    meta,
    sa.Column("generation", sa.Integer, sa.ForeignKey("generations.id"), primary_key=True),
    sa.Column("objective", sa.Text, primary_key=True),
    sa.Column("rubric", sa.Text, primary_key=True),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
)


observations = sa.Table(
    "observations",
    meta,
    sa.Column("study", sa.Text, primary_key=True),
    sa.Column("stage", sa.Text, primary_key=True),
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("case", sa.Text, primary_key=True),
    sa.Column("seed", sa.BigInteger, primary_key=True),
    sa.Column("repeat", sa.Integer, primary_key=True),
    sa.Column("configuration", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, sa.ForeignKey("generations.id")),
    sa.Column("error", sa.Text, nullable=False),
)

sa.Index(
    "ix_observations_failed",
    *(observations.c[name] for name in ("study", "stage", "trial", "seed", "repeat")),
    sqlite_where=observations.c.generation.is_(None),
    postgresql_where=observations.c.generation.is_(None),
)

PLACE = (
    "ALTER TABLE observations DROP CONSTRAINT IF EXISTS observations_pkey",
    "CREATE UNIQUE INDEX IF NOT EXISTS observations_place ON observations"
    ' (study, stage, trial, host, md5("case"), seed, repeat)',
)
"""The key of an observation in PostgreSQL, whose indices take no text over 2,700 bytes: its case by a digest."""

for _statement in PLACE:
    _made = sa.DDL(_statement)  # type: ignore[no-untyped-call]
    sa.event.listen(observations, "after_create", _made.execute_if(dialect="postgresql"))

probes = sa.Table(
    "probes",
    meta,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("engine", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("option", sa.Text, primary_key=True),
    sa.Column("context", sa.Text, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

audits = sa.Table(
    "audits",
    meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("identity", sa.Text, nullable=False, index=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

audit_parts = sa.Table(
    "audit_parts",
    meta,
    sa.Column("audit", sa.Integer, sa.ForeignKey("audits.id"), primary_key=True),
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("part", sa.Text, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

coordinators = sa.Table(
    "coordinators",
    meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("study", sa.Text, nullable=False, index=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("doing", sa.Text, nullable=False),
    sa.Column("since", sa.Text, nullable=False),
    sa.Column("hosts", sa.Text, nullable=False),
    sa.Column("beats", sa.BigInteger, nullable=False),
    sa.Column("beat", sa.DateTime(timezone=True)),
    sa.Column("ended", sa.Boolean, nullable=False),
    sa.Column("wrote", sa.Boolean, nullable=False),
)

tasks = sa.Table(
    "tasks",
    meta,
    sa.Column("study", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("batch", sa.Text, nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("host", sa.Text),
    sa.Column("holder", sa.Text),
    sa.Column("done", sa.Boolean, nullable=False),
)
