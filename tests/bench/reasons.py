"""Why a row may not be reached, as far as that was measured, and what the next step would cost."""

ORDERS = (
    "a job is six statements, of which two look (whether we know the order, what waits for it), beside one insert for"
    " each row; the rest is the way to the view, signatures, JSON and Procrastinate's own SQL (docs/adr/0014). Next:"
    " the entry in the timeline and the owed jobs in the statement that writes the order; costs that its rules about"
    " stock and flags stand in SQL."
)
REASONS = {
    "tracking page": (
        "by CPU of process and PostgreSQL, without the server, a page took 2.0 ms where the floor took 0.9: 0.4 put it"
        " into words, 0.3 render it, 0.5 are its statement, which looks into 22 tables (the floor's: 0.2), the rest"
        " are routing, guard, languages, cookies, headers and log, of which the floor has the first (docs/adr/0011)."
        " No part stands out any more: all translations are 5 %, all escapes 4 %. Next: what few orders have"
        " (returns, cases, broken promises: a quarter of the statement) by a second statement for those that have it;"
        " saves 7 % and costs that the page is two statements, in two views of the data."
    ),
    "page unchanged": (
        "its tag is a digest of what the page's statement brings, so that nothing can be forgotten in it: 1.0 ms of"
        " CPU where the page takes 2.0, and server and asking program take as much again of both. With a version per"
        " order, moved by triggers on every table that the page reads, the guard's statement would do: a quarter of"
        " the page when it was tried, 2.2 to 2.6 times as many answers with the server. It costs one more updated row"
        " for each scan, letter and refund; three times would need a way past Flask."
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
        "beside an empty job, which takes 1.2 ms of the worker's CPU, a letter takes 1.9 more when it is sent alone,"
        " and 3 when four are sent at once, whose threads wait for their turn at the interpreter, 0.7 of PostgreSQL's"
        " and 0.2 of the postbox: 0.7 claim it, mint its links and write it down as sent, 0.5 put the mail together,"
        " 0.3 say it to the server (docs/adr/0015). Next: to claim and mint past SQLAlchemy's session, and MAIL, RCPT"
        " and DATA in one breath; costs that no minter may use the session, and a dialogue of our own beside smtplib's."
    ),
    "desk": (
        "with five million orders 25,000 are open beside 2,000, and that is what grows: two counts look at each"
        " parcel that is under way (stuck 19 ms and came back 12, of 45 for all counts), and a list sorts all that"
        " is open for its first page. The past has no part in it: a search that shows no counts is flat. Next: an"
        " index for each of the two, and lists in the order of an index; costs the order's promise in a second"
        " place, its parcel."
    ),
    "insight": (
        "with a million answers the page of why goods come back shows what a small shop has too few for: what customers"
        " wrote for each reason (nothing from fewer than five people), and a picture. It ends at 20 products, 13 weeks"
        " and ten words, so it grows no further. Next: the words of a reason kept by the quarter; costs a third grain"
        " of counts."
    ),
}
