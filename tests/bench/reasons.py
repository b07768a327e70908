"""Why a row may not be reached, as far as that was measured, and what the next step would cost."""

ORDERS = (
    "a job is six statements, of which two look (whether we know the order, what waits for it), beside one insert for"
    " each row; the rest is the way to the view, signatures, JSON and Procrastinate's own SQL (docs/adr/0014). Next:"
    " the entry in the timeline and the owed jobs in the statement that writes the order; costs that its rules about"
    " stock and flags stand in SQL."
)
REASONS = {
    "tracking page": (
        "by CPU of process and PostgreSQL, without the server, a page took 5.0 ms where the floor took 2.2: 2.1"
        " put it into words and render it, 1.3 are its statement, which looks into 22 tables (0.5), the rest are"
        " guard, languages, headers and log, which the floor lacks (docs/adr/0011). Next: the words of a page"
        " without Flask-Babel's way to each of them, and what few orders have (returns, cases, broken promises: a"
        " quarter of the statement) by a second statement for those that have it; costs that the page is two"
        " statements for them."
    ),
    "page unchanged": (
        "its tag is a digest of what the page's statement brings, so that nothing can be forgotten in it: 2.6 ms"
        " of CPU where the page takes 5.0. With a version per order, moved by triggers on every table that the"
        " page reads, the guard's statement would do: that took 1.2 when it was tried, and with the server and the"
        " asking program, which take one to two of each, makes 2.2 to 2.6 times. It costs one more updated row for"
        " each scan, letter and refund; three times would need a way past Flask."
    ),
    "Shopify order": ORDERS,
    "WooCommerce order": ORDERS,
    "courier webhook": (
        "the door is one statement without BEGIN and COMMIT, beside three bare ones (docs/adr/0014); what is left"
        " is Flask's way to the view, the signature and the log. Next: to answer before Flask; costs a second door"
        " with guards and errors of its own."
    ),
    "courier event": (
        "the job is four statements beside four bare ones; four fifths of its time are turns with PostgreSQL,"
        " which also locks, looks at foreign keys and reads the scans that are known (docs/adr/0014). Next:"
        " several events in one job and one transaction; costs that one unreadable event holds up the others."
    ),
    "letters": (
        "beside an empty job, which takes 5.4 ms of the worker's CPU and 3.2 of PostgreSQL's, a letter takes 6 and"
        " 1.7 more, 2.6 of the postbox, which is Python on the same cores, and two commits more that the disk"
        " flushes: 2.7 claim it, mint its links and write it down as sent, 1.1 put the mail together (docs/adr/0015)."
        " Next: to claim and mint past SQLAlchemy's session; costs that no minter may use it."
    ),
    "desk": (
        "with five million orders 25,000 are open beside 2,000, and that is what grows: two counts look at each"
        " parcel that is under way (stuck 19 ms and came back 12, of 45 for all counts), and a list sorts all that"
        " is open for its first page. The past has no part in it: a search that shows no counts is flat. Next: an"
        " index for each of the two, and lists in the order of an index; costs the order's promise in a second"
        " place, its parcel."
    ),
    "insight": (
        "with a million answers this page shows what a small shop has too few for: what customers wrote for each"
        " reason (nothing from fewer than five people), and a picture. Of 68 ms, where the small shop's takes 30,"
        " 23 are these words, 9 the products' titles from order lines that lie far apart. Both end at 20 products,"
        " 13 weeks and ten words, so it grows no further. Next: the words of a reason kept by the quarter; costs a"
        " third grain of counts."
    ),
}
