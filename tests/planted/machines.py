"""Bugs in what all pass through: webhooks, the API, what is written out, limits, headers, logs."""

from tests.mutants.rules import Edit, Mutant

PLANTED = (
    Mutant(
        "the words of a survey are not escaped",
        (Edit("templates/feedback/_talk.html", "{{ message.words }}", "{{ message.words|safe }}"),),
        ("tests/security/test_output.py",),
    ),
    Mutant(
        "letters do not escape what people typed",
        (
            Edit(
                "portal/edge.py",
                'template.endswith((".html", ".mjml", ".svg", ".xml"))',
                'template.endswith((".html", ".svg", ".xml"))',
            ),
        ),
        ("tests/mail",),
    ),
    Mutant(
        "tokens stand in the log",
        (Edit("portal/lib/logs.py", r'TOKEN.sub(r"\1…", text)', "text"),),
        ("tests/lib/test_tracing.py", "tests/house/test_guards.py"),
    ),
    Mutant(
        "signatures are compared letter by letter",
        (
            Edit(
                "portal/adapters/reading.py",
                "sum(hmac.compare_digest(sent, one.encode()) for one in expected) > 0",
                "sent in [one.encode() for one in expected]",
            ),
        ),
        ("tests/security/test_machines.py",),
    ),
    Mutant(
        "a webhook's signature is not looked at",
        (
            Edit(
                "portal/fulfilment/jobs.py",
                "    if not LISTENED[source].verify(raw, headers, secrets):\n        raise NotGenuine\n",
                "",
            ),
        ),
        ("tests/fulfilment/test_courier_hooks.py",),
    ),
    Mutant(
        "no limit holds",
        (
            Edit(
                "portal/db/limits.py",
                "    return session.execute(TAKE, values).first() is not None",
                "    return session.execute(TAKE, values) is not None",
            ),
        ),
        ("tests/tracking/test_find.py",),
    ),
    Mutant(
        "whoever forwards an address is believed",
        (
            Edit(
                "portal/edge.py",
                "    if hops := settings.trusted_proxies:",
                "    if hops := settings.trusted_proxies or 1:",
            ),
        ),
        ("tests/test_edge.py", "tests/staff/test_sign_in.py"),
    ),
    Mutant(
        "any mail server is believed",
        (
            Edit(
                "portal/adapters/smtp.py",
                "host.starttls(context=ssl.create_default_context())",
                "host.starttls()",
            ),
        ),
        ("tests/security/test_outgoing.py",),
    ),
    Mutant(
        "strangers write lines into the log",
        (Edit("portal/lib/logs.py", "one_line(mask(record.getMessage())), ()", "mask(record.getMessage()), ()"),),
        ("tests/security/test_logs.py",),
    ),
    Mutant(
        "those whom we call send us on",
        (Edit("portal/adapters/web.py", "allow_redirects=False", "allow_redirects=True"),),
        ("tests/security/test_outgoing.py",),
    ),
    Mutant(
        "a body may be of any size",
        (Edit("portal/config.py", '            "MAX_CONTENT_LENGTH": 1_000_000,\n', ""),),
        ("tests/house/test_headers.py",),
    ),
    Mutant(
        "a header is missing",
        (Edit("portal/lib/headers.py", '    "X-Content-Type-Options": "nosniff",\n', ""),),
        ("tests/security/test_headers.py",),
    ),
    Mutant(
        "pages may be cached",
        (Edit("portal/lib/headers.py", 'else "no-store, private"', 'else "private"'),),
        ("tests/house/test_headers.py",),
    ),
    Mutant(
        "any file is taken for a table",
        (
            Edit(
                "portal/orders/stock_staff.py",
                "form.file.data.read().decode()",
                'form.file.data.read().decode("latin-1")',
            ),
        ),
        ("tests/orders/test_stock_desk.py",),
    ),
    Mutant(
        "a formula in the books",
        (
            Edit(
                "portal/lib/sheets.py",
                'return f"\'{told}" if told.startswith(BEGINS_FORMULA) else told',
                "return told",
            ),
        ),
        ("tests/security/test_output.py",),
    ),
    Mutant(
        "what happened is sealed without what it says",
        (
            Edit(
                "portal/staff/seals.py",
                "    covered = [name, entry.id, *(_plain(getattr(entry, each)) for each in CHAINED[name])]",
                "    covered = [name, entry.id]",
            ),
        ),
        ("tests/staff/test_seals.py",),
    ),
    Mutant(
        "another shop's order behind my key",
        (
            Edit(
                "portal/orders/api.py",
                "api.parse(request.get_data(), channel.code)",
                'api.parse(request.get_data(), request.args.get("channel", channel.code))',
            ),
        ),
        ("tests/orders/test_api.py",),
    ),
    Mutant(
        "a key of a shop that was shut out works on",
        (
            Edit(
                "portal/orders/keys.py",
                "ApiKey.revoked_at.is_(None), Channel.disabled_at.is_(None))",
                "ApiKey.revoked_at.is_(None))",
            ),
        ),
        ("tests/orders/test_api.py",),
    ),
    Mutant(
        "everybody may read the backup",
        (
            Edit(
                "portal/db/dump.py",
                "        part.touch(mode=0o600)\n",
                "        part.touch(mode=0o644)\n        part.chmod(0o644)\n",
            ),
        ),
        ("tests/test_backups.py",),
    ),
    Mutant(
        "the start takes any secret",
        (
            Edit(
                "portal/config.py",
                "    secret_key: str = Field(min_length=32)",
                "    secret_key: str = Field(min_length=1)",
            ),
        ),
        ("tests/test_deployment.py",),
    ),
)
