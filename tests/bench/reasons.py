"""Why a row may not be reached, as far as that was measured, and what the next step would cost."""

ORDERS = (
    "a job is six statements, of which two look (whether we know the order, what waits for it), beside one insert for"
    " each row; the rest is the way to the view, signatures, JSON and Procrastinate's own SQL (docs/adr/0014). Next:"
    " the entry in the timeline and the owed jobs in the statement that writes the order; costs that its rules about"
    " stock and flags stand in SQL."
)
REASONS = {
    "tracking page": (
        "of 1.6 ms of CPU in the process, where the floor takes 0.8, the statement has 0.33 (the floor's has 0.11): its"
        " JSON is nested out of 22 tables. The rest is what the floor lacks: guard, languages, headers, log"
        " (docs/adr/0011). Next: a row per order that holds the page's JSON, kept by triggers; costs one more updated"
        " row for each scan, letter and refund."
    ),
    "page unchanged": (
        "its tag is a digest of what the page's statement brings, so that nothing can be forgotten in it: what is saved"
        " is the rendering alone, and that is lean. Next: a version per order, moved by triggers on every table that"
        " the page reads; costs one more updated row for each of a courier's events (docs/adr/0011)."
    ),
    "Shopify order": ORDERS,
    "WooCommerce order": ORDERS,
    "courier webhook": (
        "the door is one statement without BEGIN and COMMIT; what is left is Flask's way to the view (docs/adr/0014)."
        " Next: to answer before Flask; costs a second door with guards and errors of its own."
    ),
    "courier event": (
        "the job is four statements beside four bare ones; four fifths of its time are turns with PostgreSQL, which"
        " also locks, looks at foreign keys and reads the scans that are known (docs/adr/0014). Next: several events in"
        " one job and one transaction; costs that one unreadable event holds up the others."
    ),
    "letters": (
        "a letter takes 4 ms of the worker's CPU beside 5 for the job itself: 2.7 claim it, mint its links and write it"
        " down as sent, 1.1 is the mail and an open line; the postbox, Python on the same cores, takes 2.6 more. By CPU"
        " of worker and PostgreSQL it was 0.54, by time 0.48 to 0.75 as others had the cores (docs/adr/0015). Next: to"
        " claim and mint past SQLAlchemy's session; costs that no minter may use it."
    ),
    "desk": (
        "pages that show the queues' counts take about 100 ms more in the big shop, where 5,000 orders are open beside"
        " 200; a search that shows none (by number, mail, tracking code) is flat. Next: to measure which count takes it"
        " (tests/desk/test_plans.py names pages that read a table as a whole), and to keep that one counted."
    ),
}
