"""Bugs at the desk's door: who comes in, how long, and what they may."""

from tests.mutants.rules import Edit, Mutant

SIGN_IN, FACTOR = "tests/staff/test_sign_in.py::test_", "tests/staff/test_second_factor.py"
PEOPLE = "tests/staff/test_people.py"
ROUTES = "tests/house/test_routes.py::test_"

SIGN_ON = "tests/staff/test_sign_on.py::test_"

PLANTED = (
    Mutant(
        "another customer's return behind one's own link",
        (
            Edit(
                "portal/returns/pages.py",
                "whole(Return.order_id == opened().order_id, Return.rma == rma)",
                "whole(Return.rma == rma)",
            ),
        ),
        ("tests/security/test_matrix.py",),
    ),
    Mutant(
        "a token of another sign-in is believed",
        (Edit("portal/adapters/sign_on.py", '{"nonce": nonce, "client_id"', '{"client_id"'),),
        (SIGN_ON + "9_2_1_and_9_2_2_whatever_the_provider_lies_about_nobody_comes_in",),
    ),
    Mutant(
        "a token for another shop is believed",
        (
            Edit(
                "portal/adapters/sign_on.py",
                'ours = {"iss": provider.issuer, "aud": provider.client_id}',
                'ours = {"iss": provider.issuer}',
            ),
        ),
        (SIGN_ON + "9_2_1_and_9_2_2_whatever_the_provider_lies_about_nobody_comes_in",),
    ),
    Mutant(
        "a token that nobody signed is believed",
        (
            Edit(
                "portal/adapters/sign_on.py",
                'SIGNED_BY = ["RS256", "PS256", "ES256"]',
                'SIGNED_BY = ["RS256", "PS256", "ES256", "none"]',
            ),
        ),
        (SIGN_ON + "9_2_1_and_9_2_2_whatever_the_provider_lies_about_nobody_comes_in",),
    ),
    Mutant(
        "an address that nobody verified binds a stranger",
        (Edit("portal/adapters/sign_on.py", 'if claims.get("email_verified") is True else ""', 'or ""'),),
        (SIGN_ON + "an_address_that_the_provider_has_not_verified_binds_nobody",),
    ),
    Mutant(
        "the provider's password counts for two factors",
        (Edit("portal/staff/sign_on.py", "and who.ways & (BOTH | set(settings.oidc_acr))", "and who.ways"),),
        (SIGN_ON + "6_3_3_our_second_factor_stays_unless_the_shop_trusts_theirs_and_they_say_that_two_were_shown",),
    ),
    Mutant(
        "the application's role may change what happened",
        (
            Edit(
                "portal/db/roles.py",
                'READ, ADD = sql.SQL("SELECT"), sql.SQL("SELECT, INSERT")',
                'READ, ADD = sql.SQL("SELECT"), sql.SQL("SELECT, INSERT, UPDATE")',
            ),
        ),
        ("tests/db/test_roles.py",),
    ),
    Mutant(
        "who steals from the journal says that it was let go",
        (
            Edit(
                "portal/staff/seals.py",
                "seal.entry_id <= up_to and seal.at < at - KEPT_FOR for",
                "seal.entry_id <= up_to for",
            ),
        ),
        ("tests/staff/test_seals.py",),
    ),
    Mutant(
        "a look at a copy that was handed out is not noted",
        (
            Edit(
                "portal/privacy/staff.py",
                "        looked_at(order_id, by=current_staff(), now=clock.now())\n",
                "        pass\n",
            ),
        ),
        ("tests/privacy/test_breach.py",),
    ),
    Mutant(
        "a route without a permission",
        (
            Edit(
                "portal/refunds/staff.py",
                '@bp.post("/<int:id>/approval")\n@requires("refunds.approve")\n',
                '@bp.post("/<int:id>/approval")\n',
            ),
        ),
        (ROUTES + "every_route_is_guarded",),
    ),
    Mutant(
        "a permission too low for what the route does",
        (
            Edit(
                "portal/refunds/staff.py",
                '@bp.post("/<int:id>/approval")\n@requires("refunds.approve")\n',
                '@bp.post("/<int:id>/approval")\n@requires("refunds.see")\n',
            ),
        ),
        ("tests/refunds/test_desk.py",),
    ),
    Mutant(
        "money approved without a fresh sign-in",
        (
            Edit(
                "portal/refunds/staff.py",
                '@requires("refunds.approve")\n@fresh\ndef approve(',
                '@requires("refunds.approve")\ndef approve(',
            ),
        ),
        (FACTOR,),
    ),
    Mutant(
        "a code of the app works twice",
        (
            Edit(
                "portal/staff/codes.py",
                "Staff.totp_step.is_(None), Staff.totp_step < step)",
                "Staff.totp_step.is_(None), Staff.totp_step <= step)",
            ),
        ),
        (FACTOR,),
    ),
    Mutant(
        "a recovery code works twice",
        (
            Edit(
                "portal/staff/codes.py",
                "StaffRecoveryCode.staff_id == person.id, StaffRecoveryCode.used_at.is_(None))\n    mine",
                "StaffRecoveryCode.staff_id == person.id,)\n    mine",
            ),
        ),
        (FACTOR,),
    ),
    Mutant(
        "the way back after signing in leads anywhere",
        (
            Edit(
                "portal/staff/guards.py",
                'target.startswith("/desk/") and "\\\\" not in target and "//" not in target else',
                "target.strip() else",
            ),
        ),
        (SIGN_IN + "nobody_is_sent_elsewhere",),
    ),
    Mutant(
        "a form needs no token of ours",
        (
            Edit(
                "portal/__init__.py",
                "    csrf.exempt(api.bp)\n",
                "    csrf.exempt(api.bp)\n    csrf.exempt(staff_door.bp)\n",
            ),
        ),
        (SIGN_IN + "a_form_without_its_token_is_refused",),
    ),
    Mutant(
        "signing out leaves the session alive",
        (
            Edit(
                "portal/staff/staff/door.py",
                '    who = sessions.sign_out(request.cookies.get(cookie_name(), ""))\n    if who',
                "    who = None\n    if who",
            ),
        ),
        (SIGN_IN + "7_4_1_a_copied_cookie_is_dead_after_signing_out",),
    ),
    Mutant(
        "who was shut out stays in",
        (
            Edit(
                "portal/staff/sessions.py",
                "if row is None or row.staff.disabled_at or _is_over(row, now):",
                "if row is None or _is_over(row, now):",
            ),
            Edit(
                "portal/staff/actions.py",
                "    person.disabled_at = now\n    end_sessions(person)\n",
                "    person.disabled_at = now\n",
            ),
        ),
        (SIGN_IN + "a_disabled_person_is_out_with_the_next_click_and_stays_out", PEOPLE),
    ),
    Mutant(
        "a session never ends by itself",
        (Edit("portal/staff/sessions.py", "    return now > ends\n", "    return False\n"),),
        ("tests/staff/test_sign_in.py",),
    ),
    Mutant(
        "the cookie from before goes on after the second factor",
        (
            Edit(
                "portal/staff/sessions.py",
                "    row.digest, row.proven_at, row.seen_at = digest(token), now, now\n    return token",
                "    row.proven_at = row.seen_at = now\n    return token",
            ),
        ),
        (FACTOR,),
    ),
    Mutant(
        "a new password skips the second factor",
        (
            Edit(
                "portal/staff/staff/door.py",
                '        return redirect(url_for("staff.sign_in"), 303)\n    return show_invitation(found, form), 422',
                '        token = sessions.open_session(found.staff, browser="", proven=True, now=clock.now())\n'
                '        return keep(redirect(url_for("desk.home"), 303), token)\n'
                "    return show_invitation(found, form), 422",
            ),
        ),
        (PEOPLE,),
    ),
    Mutant(
        "a passkey shown to another page opens the desk",
        (
            Edit(
                "portal/staff/passkeys.py",
                "            expected_origin=_origin(),\n            credential_public_key",
                "            expected_origin=[_origin(), 'https://aftersale-desk.example'],\n"
                "            credential_public_key",
            ),
        ),
        ("tests/staff/test_passkeys.py",),
    ),
    Mutant(
        "an invitation works twice",
        (
            Edit(
                "portal/staff/actions.py",
                "        StaffInvitation.used_at.is_(None),\n        StaffInvitation.expires_at > now,",
                "        StaffInvitation.expires_at > now,",
            ),
            Edit(
                "portal/staff/actions.py",
                "    live = (StaffInvitation.staff_id == staff_id, StaffInvitation.used_at.is_(None))",
                "    live = (StaffInvitation.staff_id == staff_id,)",
            ),
        ),
        ("tests/staff/test_invitations.py",),
    ),
)
