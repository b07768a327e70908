"""The SQL that turns an order into what is counted of it. One statement takes out what was counted and adds what is so.

Written as SQL, because the same text serves one order at an answer and all orders at a rebuild.
"""

TONGUE = """(SELECT (CASE {language} WHEN 'en' THEN 'english' WHEN 'de' THEN 'german' WHEN 'nl' THEN 'dutch'
            WHEN 'fr' THEN 'french' WHEN 'es' THEN 'spanish' WHEN 'hu' THEN 'hungarian' ELSE 'simple' END)::regconfig
            AS config,
            (CASE {language} WHEN 'en' THEN 'english_stem' WHEN 'de' THEN 'german_stem'
            WHEN 'nl' THEN 'dutch_stem' WHEN 'fr' THEN 'french_stem' WHEN 'es' THEN 'spanish_stem'
            WHEN 'hu' THEN 'hungarian_stem' ELSE 'simple' END)::regdictionary AS stemmer) AS tongue"""
SPOKEN = """(
        SELECT array_agg(stem ORDER BY stem) AS stems, array_agg(token ORDER BY stem) AS shown
        FROM (SELECT DISTINCT ON (stem) stem, lower(token) AS token
              FROM ts_parse('default', {words}) AS part(kind, token)
              CROSS JOIN LATERAL unnest(ts_lexize(tongue.stemmer, lower(token))) AS stem
              WHERE part.kind IN (1, 2, 10, 11) AND length(token) BETWEEN 3 AND 40
              ORDER BY stem, length(token), token LIMIT 60) AS word
    ) AS spoken"""
MARKS = """
        SELECT jsonb_agg(jsonb_build_object('m', m, 'd', d, 'p', p, 'n', n, 'g', g, 'b', b, 't', t)
                         ORDER BY m, d, p, g, b, t) AS marks"""
SCORES = """
            SELECT a.kind AS m, (a.answered_at AT TIME ZONE :zone)::date AS d, NULL::text AS p, 1 AS n,
                (a.mood = 'good')::int AS g, (a.mood = 'bad')::int AS b, a.score::int AS t
            FROM {answers} WHERE a.kind <> 'stars'
            UNION ALL
            SELECT 'stars', (a.answered_at AT TIME ZONE :zone)::date, coalesce(nullif(s.sku, ''), s.title), 1,
                (s.stars >= v.good_from)::int, (s.stars <= v.bad_to)::int, s.stars::int
            FROM {answers} JOIN answer_stars s ON s.answer_id = a.id
            JOIN survey_question_versions v ON v.id = a.version_id"""
SENT_BACK = """(SELECT l.id, l.reason, (r.requested_at AT TIME ZONE :zone)::date AS day, l.quantity AS pieces,
                         coalesce(nullif(g.sku, ''), g.title) AS sku
                  FROM returns r JOIN return_lines l ON l.return_id = r.id JOIN order_lines g ON g.id = l.order_line_id
                  WHERE r.order_id = o.id AND r.decision IN ('requested', 'approved')) AS piece"""

OF_ORDERS = """
    SELECT o.id AS key, o.id AS order_id, arrived.promise, CASE WHEN came.back THEN 'returned' ELSE 'kept' END AS back,
        arrived.courier, o.country, o.channel, left(o.locale, 2) AS language, goods.products,
        coalesce(marked.marks, '[]') AS marks,
        CASE WHEN told.words <> '' THEN told.day END AS said_on,
        CASE WHEN told.words <> '' THEN told.tone END AS said,
        coalesce(spoken.stems, '{}') AS stems, spoken.shown,
        to_tsvector(tongue.config, nullif(told.words, '')) AS search
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(sku ORDER BY sku), '{}') AS products
        FROM (SELECT DISTINCT coalesce(nullif(sku, ''), title) AS sku
              FROM order_lines WHERE order_id = o.id AND kind = 'item') AS line
    ) AS goods
    CROSS JOIN LATERAL (
        SELECT courier, day,
            CASE WHEN day > o.promised_on THEN 'late' WHEN day IS NOT NULL THEN 'on_time' END AS promise
        FROM (SELECT (array_agg(courier ORDER BY delivered_at DESC NULLS LAST, id))[1] AS courier,
                     CASE WHEN bool_and(delivered_at IS NOT NULL)
                          THEN max((delivered_at AT TIME ZONE :zone)::date) END AS day
              FROM parcels WHERE order_id = o.id AND state <> 'cancelled') AS sent
    ) AS arrived
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM returns WHERE order_id = o.id AND decision IN ('requested', 'approved')) AS back
    ) AS came
    CROSS JOIN LATERAL {tongue}
    LEFT JOIN LATERAL (
        SELECT a.words, (a.answered_at AT TIME ZONE :zone)::date AS day,
            (a.mood = 'good')::int - (a.mood = 'bad')::int AS tone
        FROM {answers} WHERE true
    ) AS told ON true
    LEFT JOIN LATERAL {spoken} ON true
    CROSS JOIN LATERAL ({marks}
        FROM (
            SELECT 'asked' AS m, (i.sent_at AT TIME ZONE :zone)::date AS d, NULL::text AS p, 1 AS n,
                (CASE WHEN i.anonymous THEN i.state = 'answered' ELSE a.id IS NOT NULL AND NOT a.provisional END)::int
                    AS g,
                coalesce(a.provisional, false)::int AS b, 0 AS t
            FROM survey_invitations i LEFT JOIN answers a ON a.invitation_id = i.id
            WHERE i.order_id = o.id AND i.sent_at IS NOT NULL
            UNION ALL
            SELECT 'arrived', arrived.day, NULL, 1, (promise = 'on_time')::int, (promise = 'late')::int, 0
            WHERE arrived.day IS NOT NULL
            UNION ALL {scores}
            UNION ALL
            SELECT 'back.' || reason, min(day), sku, 1, 0, 0, sum(pieces)::int FROM {sent_back} GROUP BY reason, sku
            UNION ALL
            SELECT 'grade.' || reason || '.' || grade, min(day), sku, 1, 0, 0, sum(counted)::int FROM {sent_back}
            JOIN inspections s ON s.return_line_id = piece.id WHERE grade IS NOT NULL GROUP BY reason, grade, sku
        ) AS mark
    ) AS marked
    WHERE o.id = ANY(:keys)
"""

OF_THE_NAMELESS = """
    SELECT -nameless.id, NULL, NULL, NULL, NULL, NULL, NULL, said.language, goods.products,
        coalesce(marked.marks, '[]'),
        CASE WHEN nameless.words <> '' AND said.language IS NOT NULL
             THEN (nameless.answered_at AT TIME ZONE :zone)::date END,
        CASE WHEN nameless.words <> '' AND said.language IS NOT NULL
             THEN (nameless.mood = 'good')::int - (nameless.mood = 'bad')::int END,
        coalesce(spoken.stems, '{}'), spoken.shown, to_tsvector(tongue.config, nullif(nameless.words, ''))
    FROM answers AS nameless
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(DISTINCT coalesce(nullif(sku, ''), title)), '{}') AS products
        FROM answer_stars WHERE answer_id = nameless.id
    ) AS goods
    CROSS JOIN LATERAL (
        SELECT min(spoken_in.key) AS language FROM survey_question_versions v
        CROSS JOIN LATERAL jsonb_each(v.texts) AS spoken_in(key, texts)
        WHERE v.id = nameless.version_id AND spoken_in.texts ->> 'ask' = nameless.question
    ) AS said
    CROSS JOIN LATERAL {tongue}
    LEFT JOIN LATERAL {spoken} ON true
    CROSS JOIN LATERAL ({marks} FROM ({scores}) AS mark) AS marked
    WHERE nameless.invitation_id IS NULL AND NOT nameless.provisional
        AND nameless.id IN (SELECT -key FROM unnest(CAST(:keys AS bigint[])) AS key WHERE key < 0)
"""


def _filled(written: str, language: str, words: str, answers: str) -> str:
    """The parts that orders and nameless answers have in common, put in."""
    parts = {
        "{tongue}": TONGUE.replace("{language}", language), "{spoken}": SPOKEN.replace("{words}", words),
        "{marks}": MARKS, "{scores}": SCORES.replace("{answers}", answers), "{answers}": answers,
        "{sent_back}": SENT_BACK,
    }  # fmt: skip
    for name, part in parts.items():
        written = written.replace(name, part)
    return written


THEIR_ANSWER = """survey_invitations i
            JOIN answers a ON a.invitation_id = i.id AND i.order_id = o.id AND NOT a.provisional"""
FACTS = " UNION ALL ".join(
    (
        _filled(OF_ORDERS, "left(o.locale, 2)", "told.words", THEIR_ANSWER),
        _filled(OF_THE_NAMELESS, "said.language", "nameless.words", "(SELECT nameless.*) AS a"),
    )
)
"""One row per order and nameless answer of `:keys`: all that is counted, as it is now. `:zone` is the shop's."""

KEPT = (
    "key, order_id, promise, back, courier, country, channel, language, products, marks, said_on, said, stems, search"
)
"""The columns in which a fact is kept."""

PLACES = """(VALUES (0, 'all', 'all'), (1, 'promise', promise), (2, 'back', back), (3, 'courier', courier),
        (4, 'country', country), (5, 'channel', channel), (6, 'language', language)) AS first(rank, dimension, value)
    UNION ALL SELECT 7, 'product', sku FROM unnest(products) AS sku"""

CELLS = """
    SELECT grain, within, within_value, m AS measure, day, dimension, value, sum(sign * n)::bigint AS n,
        sum(sign * g)::bigint AS good, sum(sign * b)::bigint AS bad, sum(sign * t)::bigint AS total
    FROM {source} AS one
    CROSS JOIN LATERAL jsonb_to_recordset(marks) AS mark(m text, d date, p text, n int, g int, b int, t int)
    CROSS JOIN LATERAL (
        SELECT 'day' AS grain, d AS day, '' AS within, '' AS within_value, dimension, value
        FROM (SELECT * FROM {places}) AS place(rank, dimension, value)
        UNION ALL
        SELECT 'week', date_trunc('week', d)::date, '', '', dimension, value
        FROM (SELECT * FROM {places}) AS place(rank, dimension, value)
        UNION ALL
        SELECT 'week', date_trunc('week', d)::date, other.dimension, other.value, place.dimension, place.value
        FROM (SELECT * FROM {places}) AS place(rank, dimension, value)
        JOIN (SELECT * FROM {places}) AS other(rank, dimension, value)
            ON other.rank BETWEEN 1 AND place.rank - 1 AND other.value IS NOT NULL
        WHERE m NOT LIKE 'back.%' AND m NOT LIKE 'grade.%'
    ) AS cell
    WHERE value IS NOT NULL AND (p IS NULL OR dimension <> 'product' OR value = p)
    GROUP BY grain, within, within_value, m, day, dimension, value
""".replace("{places}", PLACES)
"""What rows of `{source}` (with a `sign`) add to the tallies."""

WORDS = """
    SELECT about, language, date_trunc('week', said_on)::date AS day, stem, max(word) AS shown, sum(sign)::bigint AS n,
        sum(sign * (said > 0)::int)::bigint AS good, sum(sign * (said < 0)::int)::bigint AS bad
    FROM {source} AS one
    CROSS JOIN LATERAL (SELECT * FROM unnest(stems, shown) UNION ALL SELECT '', '') AS spoken(stem, word)
    CROSS JOIN LATERAL (
        SELECT '' AS about UNION ALL SELECT 'product:' || sku FROM unnest(products) AS sku
        UNION SELECT m || ':' || p FROM jsonb_to_recordset(marks) AS mark(m text, p text) WHERE m LIKE 'back.%'
    ) AS matter
    WHERE said_on IS NOT NULL AND language IS NOT NULL
    GROUP BY about, language, day, stem
"""
"""What rows of `{source}` add to the tallies of words; the empty stem counts all answers that have words."""

ADD_CELLS = """
    INSERT INTO tallies AS held
        (grain, within, within_value, measure, day, dimension, value, n, good, bad, total)
    SELECT grain, within, within_value, measure, day, dimension, value, n, good, bad, total FROM ({cells}) AS more
    WHERE n <> 0 OR good <> 0 OR bad <> 0 OR total <> 0
    ORDER BY grain, within, within_value, measure, day, dimension, value
    ON CONFLICT ON CONSTRAINT uq_tallies_cell DO UPDATE SET n = held.n + excluded.n,
        good = held.good + excluded.good, bad = held.bad + excluded.bad, total = held.total + excluded.total
"""
"""Always in the same order, so that two who count at once wait for each other instead of dying."""

ADD_WORDS = """
    INSERT INTO word_tallies AS held (about, language, day, stem, shown, n, good, bad)
    SELECT about, language, day, stem, coalesce(shown, stem), n, good, bad FROM ({words}) AS more
    WHERE n <> 0 OR good <> 0 OR bad <> 0
    ORDER BY about, language, day, stem
    ON CONFLICT ON CONSTRAINT uq_word_tallies_cell DO UPDATE SET n = held.n + excluded.n,
        good = held.good + excluded.good, bad = held.bad + excluded.bad
"""

COUNT = (
    """
    WITH fresh AS MATERIALIZED ({facts}),
    gone AS MATERIALIZED (SELECT * FROM counted WHERE key = ANY(:keys)),
    signed AS MATERIALIZED (
        SELECT 1 AS sign, {kept}, shown FROM fresh UNION ALL SELECT -1, {kept}, NULL::text[] FROM gone
    ),
    kept AS (
        INSERT INTO counted ({kept})
        SELECT {kept} FROM fresh WHERE marks <> '[]' OR key IN (SELECT key FROM gone)
        ON CONFLICT (key) DO UPDATE SET promise = excluded.promise, back = excluded.back,
            courier = excluded.courier, country = excluded.country, channel = excluded.channel,
            language = excluded.language, products = excluded.products, marks = excluded.marks,
            said_on = excluded.said_on, said = excluded.said, stems = excluded.stems, search = excluded.search
    ),
    spoken AS ({add_words})
    {add_cells}
    """.replace("{add_cells}", ADD_CELLS.replace("{cells}", CELLS.replace("{source}", "signed")))
    .replace("{add_words}", ADD_WORDS.replace("{words}", WORDS.replace("{source}", "signed")))
    .replace("{facts}", FACTS)
    .replace("{kept}", KEPT)
)
"""Bring what is counted of `:keys` up to date. The caller has locked them."""

STALE = (
    """
    SELECT fact.key FROM ({facts}) AS fact LEFT JOIN counted AS kept ON kept.key = fact.key
    WHERE (kept.id IS NOT NULL OR fact.marks <> '[]') AND ROW({fact}) IS DISTINCT FROM ROW({was})
    """.replace("{facts}", FACTS)
    .replace("{fact}", ", ".join(f"fact.{name}" for name in KEPT.split(", ")))
    .replace("{was}", ", ".join(f"kept.{name}" for name in KEPT.split(", ")))
)
"""Those of `:keys` that are counted as something else than they are."""

ALL_KEPT = "(SELECT 1 AS sign, *, NULL::text[] AS shown FROM counted)"
WRONG_CELLS = """
    SELECT grain, within, within_value, measure, day, dimension, value, coalesce(should.n, 0) - coalesce(is_.n, 0) AS n,
        coalesce(should.good, 0) - coalesce(is_.good, 0) AS good, coalesce(should.bad, 0) - coalesce(is_.bad, 0) AS bad,
        coalesce(should.total, 0) - coalesce(is_.total, 0) AS total
    FROM ({cells}) AS should FULL JOIN tallies AS is_
        USING (grain, within, within_value, measure, day, dimension, value)
    WHERE ROW(coalesce(should.n, 0), coalesce(should.good, 0), coalesce(should.bad, 0), coalesce(should.total, 0))
        <> ROW(coalesce(is_.n, 0), coalesce(is_.good, 0), coalesce(is_.bad, 0), coalesce(is_.total, 0))
""".replace("{cells}", CELLS.replace("{source}", ALL_KEPT))
"""What has to be added to the tallies so that they are the sum of all orders; one statement, so one moment."""
WRONG_WORDS = """
    SELECT about, language, day, stem, coalesce(should.shown, is_.shown) AS shown,
        coalesce(should.n, 0) - coalesce(is_.n, 0) AS n, coalesce(should.good, 0) - coalesce(is_.good, 0) AS good,
        coalesce(should.bad, 0) - coalesce(is_.bad, 0) AS bad
    FROM ({words}) AS should FULL JOIN word_tallies AS is_ USING (about, language, day, stem)
    WHERE ROW(coalesce(should.n, 0), coalesce(should.good, 0), coalesce(should.bad, 0))
        <> ROW(coalesce(is_.n, 0), coalesce(is_.good, 0), coalesce(is_.bad, 0))
""".replace("{words}", WORDS.replace("{source}", ALL_KEPT))
