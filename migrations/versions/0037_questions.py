"""Questions with their versions, answers of every kind, stars for articles, and which question goes with which reason."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

SAID = {
    "en": ("How was it?", "All of it, from your order to your door.", "What was good, what was not?",
           ("Very bad", "Bad", "So-so", "Good", "Very good")),
    "de": ("Wie war es?", "Alles zusammen, von der Bestellung bis an Ihre Tür.", "Was war gut, was nicht?",
           ("Sehr schlecht", "Schlecht", "Mittel", "Gut", "Sehr gut")),
    "fr": ("Comment ça s’est passé ?", "Dans l’ensemble, de la commande à votre porte.",
           "Qu’est-ce qui était bien, et moins bien ?", ("Très mauvais", "Mauvais", "Moyen", "Bien", "Très bien")),
    "nl": ("Hoe was het?", "Alles bij elkaar, van je bestelling tot aan je deur.", "Wat was goed, wat niet?",
           ("Heel slecht", "Slecht", "Gaat wel", "Goed", "Heel goed")),
    "es": ("¿Qué tal ha ido?", "Todo, desde el pedido hasta tu puerta.", "¿Qué ha ido bien y qué no?",
           ("Muy mal", "Mal", "Regular", "Bien", "Muy bien")),
    "hu": ("Milyen volt?", "Az egész, a rendeléstől az ajtajáig.", "Mi volt jó, mi nem?",
           ("Nagyon rossz", "Rossz", "Közepes", "Jó", "Nagyon jó")),
}  # fmt: skip
"""The one question that was asked until now, as it was put."""


def upgrade() -> None:
    _make_questions()
    op.add_column("survey_terms", sa.Column("anonymous", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("survey_invitations", sa.Column("version_id", sa.BigInteger(), nullable=True))
    op.add_column("survey_invitations", sa.Column("anonymous", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("answers", sa.Column("version_id", sa.BigInteger(), nullable=True))
    for name in ("kind", "mood"):
        op.add_column("answers", sa.Column(name, sa.String(), nullable=True))
    op.add_column("answers", sa.Column("choice", sa.BigInteger(), nullable=True))
    _keep_what_was_asked()
    for table in ("survey_invitations", "answers"):
        op.alter_column(table, "version_id", nullable=False)
        name = op.f(f"fk_{table}_version_id_survey_question_versions")
        op.create_foreign_key(name, table, "survey_question_versions", ["version_id"], ["id"])
        op.create_index(op.f(f"ix_{table}_version_id"), table, ["version_id"])
    op.drop_column("survey_invitations", "question")
    op.alter_column("answers", "kind", nullable=False)
    op.alter_column("answers", "mood", nullable=False)
    op.alter_column("answers", "invitation_id", nullable=True)
    op.drop_constraint(op.f("ck_answers_score"), "answers")
    op.create_check_constraint(op.f("ck_answers_score"), "answers", "score BETWEEN 0 AND 10")
    op.create_check_constraint(op.f("ck_answers_kind"), "answers", "kind IN ('csat', 'nps', 'ces', 'stars', 'form')")
    op.create_check_constraint(op.f("ck_answers_mood"), "answers", "mood IN ('bad', 'middle', 'good')")
    _make_stars()


def _make_questions() -> None:
    op.create_table(
        "survey_questions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('csat', 'nps', 'ces', 'stars', 'form')", name=op.f("ck_survey_questions_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_questions")),
        sa.UniqueConstraint("code", name=op.f("uq_survey_questions_code")),
    )
    op.create_table(
        "survey_question_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("question_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("bad_to", sa.BigInteger(), nullable=False),
        sa.Column("good_from", sa.BigInteger(), nullable=False),
        sa.Column("texts", postgresql.JSONB(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("low < high AND low >= 0 AND high <= 10", name=op.f("ck_survey_question_versions_scale")),
        sa.CheckConstraint(
            "bad_to >= low AND bad_to < good_from AND good_from <= high",
            name=op.f("ck_survey_question_versions_moods"),
        ),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["survey_questions.id"],
            name=op.f("fk_survey_question_versions_question_id_survey_questions"),
        ),
        sa.ForeignKeyConstraint(
            ["made_by_id"], ["staff.id"], name=op.f("fk_survey_question_versions_made_by_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_question_versions")),
        sa.UniqueConstraint("question_id", "number", name=op.f("uq_survey_question_versions_question_id_number")),
    )
    op.create_table(
        "survey_occasions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("question_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('delivered', 'return_settled', 'case_closed')", name=op.f("ck_survey_occasions_reason")
        ),
        sa.ForeignKeyConstraint(
            ["question_id"], ["survey_questions.id"], name=op.f("fk_survey_occasions_question_id_survey_questions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_occasions")),
        sa.UniqueConstraint("reason", name=op.f("uq_survey_occasions_reason")),
    )


def _keep_what_was_asked() -> None:
    """Who was asked until now was asked the one question there was; it becomes a first version."""
    if not op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM survey_invitations)")):
        return
    op.execute("INSERT INTO survey_questions (code, kind, name) VALUES ('csat', 'csat', '')")
    first = sa.text(
        "INSERT INTO survey_question_versions (question_id, number, low, high, bad_to, good_from, texts, made_at)"
        " SELECT q.id, 1, 1, 5, 2, 4, CAST(:texts AS jsonb), (SELECT min(due_at) FROM survey_invitations)"
        " FROM survey_questions q"
    )
    op.execute(first.bindparams(texts=json.dumps({language: _said(*said) for language, said in SAID.items()})))
    op.execute("UPDATE survey_invitations SET version_id = (SELECT id FROM survey_question_versions)")
    op.execute(
        "UPDATE answers SET version_id = v.id, kind = 'csat',"
        " question = coalesce(v.texts #>> ARRAY[left(o.locale, 2), 'ask'], v.texts #>> '{en,ask}'),"
        " mood = CASE WHEN score <= 2 THEN 'bad' WHEN score >= 4 THEN 'good' ELSE 'middle' END"
        " FROM survey_question_versions v, survey_invitations i, orders o"
        " WHERE i.id = answers.invitation_id AND o.id = i.order_id"
    )


def _said(ask: str, lead: str, words: str, labels: tuple[str, ...]) -> dict[str, object]:
    return {"ask": ask, "lead": lead, "words": words, "labels": labels, "low": labels[0], "high": labels[-1]}


def _make_stars() -> None:
    op.create_table(
        "answer_stars",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("answer_id", sa.BigInteger(), nullable=False),
        sa.Column("order_line_id", sa.BigInteger(), nullable=True),
        sa.Column("sku", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("stars", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("stars BETWEEN 1 AND 5", name=op.f("ck_answer_stars_stars")),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["answers.id"], name=op.f("fk_answer_stars_answer_id_answers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_lines.id"], name=op.f("fk_answer_stars_order_line_id_order_lines")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_stars")),
        sa.UniqueConstraint("answer_id", "order_line_id", name=op.f("uq_answer_stars_answer_id_order_line_id")),
    )
    op.create_index(op.f("ix_answer_stars_order_line_id"), "answer_stars", ["order_line_id"])
    op.create_index(op.f("ix_answer_stars_sku"), "answer_stars", ["sku"])


def downgrade() -> None:
    """Only answers on the scale that there was before can be kept."""
    op.drop_table("answer_stars")
    op.execute("UPDATE cases SET answer_id = NULL WHERE answer_id IN (SELECT id FROM answers WHERE kind <> 'csat')")
    op.execute("DELETE FROM answers WHERE kind <> 'csat' OR invitation_id IS NULL")
    op.add_column("survey_invitations", sa.Column("question", sa.String(), nullable=False, server_default="csat.1"))
    op.drop_constraint(op.f("ck_answers_score"), "answers")
    op.create_check_constraint(op.f("ck_answers_score"), "answers", "score BETWEEN 1 AND 5")
    op.alter_column("answers", "invitation_id", nullable=False)
    for column in ("version_id", "kind", "mood", "choice"):
        op.drop_column("answers", column)
    for column in ("version_id", "anonymous"):
        op.drop_column("survey_invitations", column)
    op.drop_column("survey_terms", "anonymous")
    for table in ("survey_occasions", "survey_question_versions", "survey_questions"):
        op.drop_table(table)
