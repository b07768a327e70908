"""Bugs at the customer's door: links, codes, and what is kept of them."""

from tests.mutants.rules import Edit, Mutant

LINKS, CODES = "tests/orders/test_links.py::test_", "tests/orders/test_codes.py"

PLANTED = (
    Mutant(
        "a vote by GET",
        (
            Edit(
                "portal/feedback/pages.py",
                "    chosen = _chosen(ask)\n",
                "    chosen = _chosen(ask)\n"
                "    if chosen:\n"
                '        actions.give_answer(opened().order_id, int(chosen["score"]), "", now=clock.now())\n',
            ),
        ),
        ("tests/feedback/test_answers.py",),
    ),
    Mutant(
        "unsubscribed by looking",
        (
            Edit(
                "portal/feedback/pages.py",
                "    if _unsubscribe_link(token) is None:\n        return no_link()\n    return render_template",
                "    return unsubscribe(token)\n    return render_template",
            ),
        ),
        ("tests/feedback/test_unsubscribe.py",),
    ),
    Mutant(
        "a customer's code works twice",
        (Edit("portal/orders/codes.py", "    code.used_at = now\n    return True", "    return True"),),
        (CODES,),
    ),
    Mutant(
        "a customer's code works in another browser",
        (
            Edit(
                "portal/orders/codes.py",
                "(Code.order_id == order_id, Code.browser == digest(browser))",
                "(Code.order_id == order_id,)",
            ),
        ),
        (CODES,),
    ),
    Mutant(
        "tries of a code are not counted",
        (Edit("portal/orders/codes.py", "left.values(tries=Code.tries + 1)", "left.values(tries=Code.tries)"),),
        (CODES,),
    ),
    Mutant(
        "what only a code opens is shown without",
        (
            Edit(
                "portal/orders/guards.py", 'if found.tier < needed("tier"):', 'if found.tier < min(needed("tier"), 1):'
            ),
        ),
        (CODES,),
    ),
    Mutant(
        "a link opens whatever it was minted for",
        (
            Edit(
                "portal/orders/links.py", "[held for held, opened in OPENS.items() if purpose in opened]", "list(OPENS)"
            ),
        ),
        (LINKS + "l3_a_link_opens_its_purpose_and_its_order_only",),
    ),
    Mutant(
        "an expired link is accepted",
        (
            Edit(
                "portal/orders/links.py",
                "Link.revoked_at.is_(None), Link.expires_at > now)\n    return session.scalar",
                "Link.revoked_at.is_(None))\n    return session.scalar",
            ),
        ),
        (LINKS + "l10_unknown_expired_revoked_and_foreign_links_cannot_be_told_apart",),
    ),
    Mutant(
        "a link that was ended still lets in who came before",
        (
            Edit(
                "portal/orders/links.py",
                "Grant.expires_at > now, Link.expires_at > now, Link.revoked_at.is_(None))",
                "Grant.expires_at > now, Link.expires_at > now)",
            ),
        ),
        ("tests/orders/test_links.py",),
    ),
    Mutant(
        "the secret of a link is stored",
        (
            Edit(
                "portal/orders/links.py",
                'given = {"digest": digest(token), "order_id"',
                'given = {"digest": token.encode(), "order_id"',
            ),
        ),
        ("tests/mail/test_letters.py", "tests/orders/test_links.py"),
    ),
    Mutant(
        "what is asked for is answered by whether it exists",
        (
            Edit(
                "portal/tracking/pages.py",
                "    defer(find_order, number",
                "    if not actions.find(str(form.number.data).strip(), str(form.email.data).strip().lower()):\n"
                "        abort(404)\n    defer(find_order, number",
            ),
            Edit("portal/tracking/actions.py", "def _find(", "def find("),
            Edit("portal/tracking/actions.py", "in _find(", "in find("),
        ),
        ("tests/tracking/test_find.py",),
    ),
    Mutant(
        "two tabs read, both write",
        (
            Edit(
                "portal/returns/actions.py",
                "    order = lock(order_id)\n    if earlier := made_by",
                "    order = session.get_one(Order, order_id)\n    if earlier := made_by",
            ),
        ),
        ("tests/returns/test_two_at_once.py",),
    ),
    Mutant(
        "the way back after a code leads anywhere",
        (Edit("portal/orders/code_pages.py", "return then if ours else", "return then if then else"),),
        (CODES,),
    ),
    Mutant(
        "links in letters lead to the host that was asked",
        (
            Edit(
                "portal/mail/rendering.py",
                "    return f\"{current_app.config['SETTINGS'].base_url}/{door}",
                "    asked = request.headers.get('X-Forwarded-Host', '') if has_request_context() else ''\n"
                "    here = f'https://{asked}' if asked else current_app.config['SETTINGS'].base_url\n"
                '    return f"{here}/{door}',
            ),
            Edit(
                "portal/mail/rendering.py",
                "from flask import current_app, render_template",
                "from flask import current_app, has_request_context, render_template, request",
            ),
        ),
        ("tests/security/test_machines.py",),
    ),
    Mutant(
        "a name outlives the erasure",
        (
            Edit(
                "portal/orders/personal.py",
                'taken={"email": None, "name": "", "phone": None},\n        stays=("locale",),',
                'taken={"email": None, "phone": None},\n        stays=("locale", "name"),',
            ),
        ),
        ("tests/privacy/test_erasure.py",),
    ),
    Mutant(
        "a phone number outlives the erasure",
        (
            Edit(
                "portal/orders/personal.py",
                'taken={"email": None, "name": "", "phone": None},\n        stays=("locale",),',
                'taken={"email": None, "name": ""},\n        stays=("locale", "phone"),',
            ),
        ),
        ("tests/privacy",),
    ),
    Mutant(
        "the copy of one customer holds another's order",
        (
            Edit(
                "portal/privacy/pages.py",
                "packed(orders_of(_order().customer_id), now=clock.now())",
                "packed([*orders_of(_order().customer_id), 1, 2], now=clock.now())",
            ),
        ),
        ("tests/privacy",),
    ),
)
