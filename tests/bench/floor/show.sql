SELECT json_build_object('ref', o.ref, 'number', o.number, 'state', o.state, 'placed_at', o.placed_at,
  'promised_on', o.promised_on, 'parcels', (SELECT coalesce(json_agg(json_build_object(
    'status', p.tracking_status, 'packed_at', p.packed_at, 'handed_over_at', p.handed_over_at,
    'delivered_at', p.delivered_at, 'estimate_on', p.estimate_on,
    'lines', (SELECT coalesce(json_agg(json_build_object('title', l.title, 'variant', l.variant, 'quantity', pl.quantity)
      ORDER BY l.id), '[]') FROM parcel_lines pl JOIN order_lines l ON l.id = pl.order_line_id WHERE pl.parcel_id = p.id),
    'scans', (SELECT coalesce(json_agg(json_build_object('at', e.at, 'status', e.status, 'code', e.code)
      ORDER BY e.at DESC), '[]') FROM courier_events e WHERE e.parcel_id = p.id)) ORDER BY p.id), '[]')
    FROM parcels p WHERE p.order_id = o.id),
  'returns', (SELECT coalesce(json_agg(json_build_object('rma', r.rma, 'decision', r.decision, 'goods', r.goods,
    'refunds', (SELECT coalesce(json_agg(json_build_object('amount', f.amount, 'state', f.state, 'settled_at', f.settled_at)),
      '[]') FROM refunds f WHERE f.return_id = r.id)) ORDER BY r.id DESC), '[]') FROM returns r WHERE r.order_id = o.id))
FROM orders o WHERE o.ref = %s
