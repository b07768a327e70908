-- A shop's history of %(orders)s orders, the last %(open)s of them still open; each number decides what its order is like.
-- Rows are as the portal writes them. Secrets can be computed from the number, so that the bench can come in.

CREATE FUNCTION pg_temp.secret(kind text, n bigint, wide int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT substr(translate(encode(sha256(convert_to(kind || n, 'UTF8')), 'hex'), '0189', 'ghij'), 1, wide) $$;

CREATE FUNCTION pg_temp.one_of(n bigint, VARIADIC texts text[]) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT texts[1 + (n * 7919 %% cardinality(texts))] $$;

CREATE TEMPORARY TABLE shape AS
SELECT n AS id, n > %(orders)s - %(open)s AS open, date_trunc('minute', %(now)s::timestamptz)
  - CASE WHEN n > %(orders)s - %(open)s
    THEN (%(orders)s - n) * (interval '10 days' / %(open)s)
    ELSE interval '12 days' + (%(orders)s - %(open)s - n) * (interval '1000 days' / (%(orders)s - %(open)s)) END AS placed,
  (n * 2654435761 %% 1000)::int AS dice
FROM generate_series(1::bigint, %(orders)s) AS n;

INSERT INTO channels (code, kind, name, created_at) VALUES ('api:bench', 'api', 'bench', %(now)s::timestamptz - interval '2000 days');

INSERT INTO customers (id, email, name, phone, locale) OVERRIDING SYSTEM VALUE
SELECT id, 'buyer' || id || '@' || pg_temp.one_of(id, 'example.org', 'mail.example', 'post.example'),
  pg_temp.one_of(id, 'Ada', 'Björn', 'Chloé', 'Dénes', 'Elif', 'Femke', 'Gál', 'Hanna', 'Íñigo', 'Jasper', 'Klára', 'Luca', 'Mira') || ' '
  || initcap(pg_temp.secret('family', id / 3, 7)), NULL, pg_temp.one_of(id, 'de', 'de', 'en', 'nl', 'fr')
FROM shape;

INSERT INTO orders (id, ref, channel, external_id, number, state, customer_id, locale, currency, total, ship_to, country,
  placed_at, paid_at, external_updated_at, external_rank, promised_on, accepted_at, created_at, closed_at) OVERRIDING SYSTEM VALUE
SELECT id, pg_temp.secret('ref', id, 14), 'api:bench', 'E' || id, 'B' || 1000000 + id,
  CASE WHEN open THEN CASE WHEN dice < 20 THEN 'on_hold' ELSE 'accepted' END WHEN dice < 20 THEN 'cancelled' ELSE 'closed' END,
  id, pg_temp.one_of(id, 'de', 'de', 'en', 'nl', 'fr'), 'EUR', 8400,
  jsonb_build_object('name', 'Ada Ö', 'company', '', 'line1', 'Weg 1', 'line2', '', 'postcode', '10115', 'city', 'Berlin', 'region', '', 'country', 'DE'), 'DE',
  placed, placed + interval '1 minute', placed + interval '1 minute', '', (placed + interval '5 days')::date, placed + interval '2 minutes',
  placed + interval '2 minutes', CASE WHEN open OR dice < 20 THEN NULL ELSE placed + interval '4 days' END
FROM shape;

INSERT INTO order_lines (id, order_id, external_id, kind, sku, title, variant, quantity, unit_price, paid) OVERRIDING SYSTEM VALUE
SELECT id * 3 + line, id, 'L' || line, CASE line WHEN 2 THEN 'shipping' ELSE 'item' END, CASE line WHEN 2 THEN '' ELSE 'SKU-' || (id + line) %% 500 END,
  CASE line WHEN 0 THEN 'Stoneware mug, glazed by hand' WHEN 1 THEN 'Linen shirt with wooden buttons' ELSE 'Standard delivery' END,
  CASE line WHEN 0 THEN 'Moss' WHEN 1 THEN 'M' ELSE '' END, CASE line WHEN 0 THEN 2 ELSE 1 END, CASE line WHEN 0 THEN 2000 WHEN 1 THEN 3900 ELSE 500 END,
  CASE line WHEN 0 THEN 4000 WHEN 1 THEN 3900 ELSE 500 END
FROM shape, generate_series(0, 2) AS line;

INSERT INTO payments (id, order_id, route, payment_intent, currency, captured, reserved, external) OVERRIDING SYSTEM VALUE
SELECT id, id, 'stripe', 'pi_bench_' || id, 'EUR', 8400, CASE WHEN NOT open AND dice BETWEEN 100 AND 149 THEN 3900 ELSE 0 END, 0 FROM shape;

INSERT INTO parcels (id, order_id, ref, state, courier, tracking_number, tracking_status, action_required, estimate_on, estimated_at, last_event_at,
  created_at, packed_at, handed_over_at, delivered_at, expected_on, risk) OVERRIDING SYSTEM VALUE
SELECT id, id, pg_temp.secret('parcel', id, 14), state,
  CASE state WHEN 'handed_over' THEN 'dhl' END, CASE state WHEN 'handed_over' THEN 'BENCH' || lpad(id::text, 10, '0') END,
  CASE WHEN state <> 'handed_over' THEN 'unknown' WHEN NOT open THEN 'delivered' WHEN dice > 985 THEN 'exception' ELSE 'in_transit' END,
  false, CASE WHEN open AND state = 'handed_over' THEN (placed + interval '4 days')::date END, CASE WHEN open AND state = 'handed_over' THEN placed + interval '1 day' END,
  CASE WHEN state <> 'handed_over' THEN NULL WHEN open THEN %(now)s - interval '1 hour' ELSE placed + interval '4 days' END,
  placed + interval '2 minutes', CASE WHEN state IN ('packed', 'handed_over') THEN placed + interval '1 day' END,
  CASE state WHEN 'handed_over' THEN placed + interval '30 hours' END,
  CASE WHEN NOT open AND state = 'handed_over' THEN placed + interval '4 days' END,
  CASE WHEN open THEN (placed + interval '5 days')::date END, CASE WHEN open AND dice %% 20 = 0 THEN 'late_courier' END
FROM (SELECT *, CASE WHEN NOT open THEN CASE WHEN dice < 20 THEN 'cancelled' ELSE 'handed_over' END
  WHEN dice < 300 THEN 'to_pick' WHEN dice < 400 THEN 'picked' WHEN dice < 500 THEN 'packed' ELSE 'handed_over' END AS state FROM shape) AS s;

INSERT INTO parcel_lines (id, parcel_id, order_line_id, quantity, picked, short, boxed) OVERRIDING SYSTEM VALUE
SELECT p.id * 3 + line, p.id, p.id * 3 + line, 2 - line, gone * (2 - line), 0, gone * (2 - line)
FROM (SELECT id, CASE WHEN state IN ('picked', 'packed', 'handed_over') THEN 1 ELSE 0 END AS gone FROM parcels) AS p, generate_series(0, 1) AS line;

INSERT INTO handoffs (id, parcel_id, giver, department, state, owner_id, reason, note, offered_at, answered_at, done_at) OVERRIDING SYSTEM VALUE
SELECT p.id, p.id, NULL, CASE p.state WHEN 'to_pick' THEN 'picking' WHEN 'picked' THEN 'packing' ELSE 'shipping' END,
  CASE WHEN p.state IN ('to_pick', 'picked', 'packed') THEN 'offered' ELSE 'accepted' END, 1, '', '', p.created_at,
  CASE WHEN p.state IN ('to_pick', 'picked', 'packed') THEN NULL ELSE p.created_at + interval '1 hour' END,
  CASE WHEN p.state IN ('to_pick', 'picked', 'packed') THEN NULL ELSE p.created_at + interval '1 day' END
FROM parcels AS p;

INSERT INTO courier_events (id, parcel_id, at, at_raw, offset_assumed, status, code, message, place, received_at, told_at) OVERRIDING SYSTEM VALUE
SELECT p.id * 5 + step, p.id, p.handed_over_at + step * interval '15 hours', '', false,
  (ARRAY['picked_up', 'in_transit', 'in_transit', 'out_for_delivery', 'delivered'])[step + 1],
  (ARRAY['', 'departed_facility', 'arrived_at_facility', '', ''])[step + 1], 'The parcel was seen', 'Leipzig',
  p.handed_over_at + step * interval '15 hours', p.handed_over_at + step * interval '15 hours'
FROM parcels AS p, generate_series(0, 4) AS step
WHERE p.state = 'handed_over' AND (p.delivered_at IS NOT NULL OR step < 3);

INSERT INTO timeline (id, order_id, at, kind, by, staff_id, facts) OVERRIDING SYSTEM VALUE
SELECT id * 3 + step, id, placed + step * interval '1 day', (ARRAY['order.accepted', 'parcel.picked_up', 'parcel.delivered'])[step + 1],
  CASE step WHEN 0 THEN 'channel' ELSE 'courier' END, NULL,
  CASE step WHEN 0 THEN jsonb_build_object('channel', 'bench', 'promised_on', (placed + interval '5 days')::date) ELSE jsonb_build_object('parcel', pg_temp.secret('parcel', id, 14)) END
FROM shape, generate_series(0, 2) AS step WHERE step = 0 OR NOT open;

INSERT INTO links (id, digest, order_id, purpose, created_at, expires_at) OVERRIDING SYSTEM VALUE
SELECT id, sha256(convert_to(pg_temp.secret('link', id, 28), 'UTF8')), id, 'track', %(now)s::timestamptz - interval '1 day', %(now)s::timestamptz + interval '89 days' FROM shape;

INSERT INTO grants (id, browser, link_id, expires_at) OVERRIDING SYSTEM VALUE
SELECT id, sha256(convert_to(pg_temp.secret('browser', id, 28), 'UTF8')), id, %(now)s::timestamptz + interval '1 day' FROM shape WHERE id %% 7 = 0;

INSERT INTO letters (id, kind, order_id, about, to_address, locale, subject, html, text, headers, message_id, state, attempts, error, created_at, sent_at) OVERRIDING SYSTEM VALUE
SELECT id, 'delivered', id, 'parcel:' || id, 'buyer' || id || '@example.org', 'de', 'Your parcel was delivered', '<p>Your parcel was delivered.</p>', 'Your parcel was delivered.', '{}',
  '<' || pg_temp.secret('letter', id, 28) || '@aftersale>', CASE WHEN dice > 996 THEN 'dead' ELSE 'sent' END, 1, CASE WHEN dice > 996 THEN 'no such mailbox' END, placed + interval '4 days', CASE WHEN dice > 996 THEN NULL ELSE placed + interval '4 days' END
FROM shape WHERE NOT open;

INSERT INTO survey_invitations (id, order_id, state, version_id, due_at, sent_at, closes_at, reason, ground) OVERRIDING SYSTEM VALUE
SELECT id, id, CASE WHEN dice < 300 THEN 'answered' WHEN dice < 320 THEN 'sent' ELSE 'expired' END, (SELECT min(id) FROM survey_question_versions), placed + interval '9 days', placed + interval '9 days', placed + interval '23 days', 'delivered', 'existing_customer'
FROM shape WHERE NOT open;

INSERT INTO answers (id, invitation_id, question, version_id, kind, mood, score, words, provisional, answered_at) OVERRIDING SYSTEM VALUE
SELECT id, id, 'csat.1', (SELECT min(id) FROM survey_question_versions), 'csat', (ARRAY['bad', 'bad', 'middle', 'good', 'good'])[1 + id %% 5], 1 + id %% 5, '', false, placed + interval '10 days' FROM shape WHERE NOT open AND dice < 300;

INSERT INTO cases (id, order_id, answer_id, state, owner_id, opened_at, due_at, reopened, solved_at, closed_at, escalated) OVERRIDING SYSTEM VALUE
SELECT id, id, id, CASE WHEN fresh THEN 'open' ELSE 'closed' END, 1, placed + interval '10 days', placed + interval '12 days', 0,
  CASE WHEN NOT fresh THEN placed + interval '11 days' END, CASE WHEN NOT fresh THEN placed + interval '12 days' END, 0
FROM (SELECT *, id > %(orders)s - 3 * %(open)s AS fresh FROM shape) AS s WHERE NOT open AND dice BETWEEN 20 AND 39;

INSERT INTO returns (id, rma, order_id, kind, decision, goods, requested_at, decided_at, decided_by_id, decision_note, send_back_by, received_at, inspected_at, money_proposed_at, closing_note) OVERRIDING SYSTEM VALUE
SELECT id, upper(pg_temp.secret('rma', id, 12)), id, 'return', CASE WHEN fresh AND dice < 110 THEN 'requested' ELSE 'approved' END,
  CASE WHEN NOT fresh THEN 'received' WHEN dice < 110 THEN 'not_expected' WHEN dice < 130 THEN 'awaited' ELSE 'received' END, placed + interval '6 days',
  CASE WHEN fresh AND dice < 110 THEN NULL ELSE placed + interval '6 days' END, CASE WHEN fresh AND dice < 110 THEN NULL ELSE 1 END, '', (placed + interval '20 days')::date,
  CASE WHEN NOT fresh OR dice >= 130 THEN placed + interval '9 days' END, CASE WHEN NOT fresh THEN placed + interval '9 days' END,
  CASE WHEN NOT fresh THEN placed + interval '9 days' END, ''
FROM (SELECT *, id > %(orders)s - 3 * %(open)s AS fresh FROM shape) AS s WHERE NOT open AND dice BETWEEN 100 AND 149;

INSERT INTO return_lines (id, return_id, order_line_id, quantity, reason, words, condition, choice, variant_sku, variant) OVERRIDING SYSTEM VALUE
SELECT id, id, id * 3 + 1, 1, 'too_small', '', '', 'money', '', '' FROM returns;

INSERT INTO refunds (id, order_id, payment_id, return_id, decision_no, source, state, amount, currency, reason, requested_by_id, requested_at, approved_by_id, approved_at,
  decision_note, uuid, idem_key, attempts, stripe_refund_id, stripe_status, settled_at, handled_note, way, proof) OVERRIDING SYSTEM VALUE
SELECT id, id, id, id, 1, 'ours', CASE WHEN fresh THEN 'requested' ELSE 'succeeded' END, 3900, 'EUR', 'return:' || id, 1, requested_at + interval '3 days',
  CASE WHEN NOT fresh THEN 2 END, CASE WHEN NOT fresh THEN requested_at + interval '4 days' END, '', pg_temp.secret('refund', id, 28), pg_temp.secret('refund', id, 28), 1,
  CASE WHEN NOT fresh THEN 're_bench_' || id END, CASE WHEN NOT fresh THEN 'succeeded' END, CASE WHEN NOT fresh THEN requested_at + interval '5 days' END, '', 'card', ''
FROM (SELECT *, id > %(orders)s - 3 * %(open)s AS fresh FROM returns) AS r WHERE goods = 'received';

INSERT INTO order_flags (order_id, code, found_at, note) SELECT id, 'changed', placed, '' FROM shape WHERE open AND dice %% 25 = 0;
