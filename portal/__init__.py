"""Aftersale: everything that comes after "pay". `create_app` is the table of contents."""

import gc

gc.disable()  # what is imported stays: to look through it again and again would take a third of the start

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_compress import Compress
from flask_migrate import Migrate
from flask_wtf.csrf import CSRFProtect

from portal import config, db, edge, jobs, problems, pulse
from portal.adapters import smtp
from portal.desk import staff as desk
from portal.feedback import case_rules_staff as desk_case_rules
from portal.feedback import causes_staff as desk_causes
from portal.feedback import insight_staff as desk_satisfaction
from portal.feedback import jobs as feedback_jobs
from portal.feedback import pages as feedback
from portal.feedback import question_staff as desk_questions
from portal.feedback import replying_staff as desk_replies
from portal.feedback import snippets_staff as desk_snippets
from portal.feedback import staff as desk_cases
from portal.feedback import survey_staff as desk_surveys
from portal.fulfilment import boxes_staff as desk_boxes
from portal.fulfilment import buying_staff as desk_labels
from portal.fulfilment import calendar_staff as desk_calendar
from portal.fulfilment import changes_staff as desk_attention
from portal.fulfilment import closing_staff as desk_couriers
from portal.fulfilment import handoff_staff as desk_handoffs
from portal.fulfilment import jobs as fulfilment_jobs
from portal.fulfilment import shorts_staff as desk_shorts
from portal.fulfilment import sscc_staff as desk_sscc
from portal.fulfilment import staff as desk_parcels
from portal.fulfilment import watching_staff as desk_watch
from portal.fulfilment import waves_staff as desk_waves
from portal.inbox import pages as hooks
from portal.jobs import sweeps
from portal.lib import cookies, headers
from portal.lib.guards import anyone, register
from portal.mail import jobs as mail_jobs
from portal.offices import jobs as offices_jobs
from portal.offices import staff as desk_offices
from portal.orders import api, code_pages
from portal.orders import jobs as orders_jobs
from portal.orders import keys_staff as desk_keys
from portal.orders import pages as links
from portal.orders import pushes_staff as desk_pushes
from portal.orders import stock_staff as desk_stock
from portal.orders import workshop_staff as desk_workshop
from portal.orders.guards import has_api_key, has_link
from portal.pictures import guards as pictures_guards
from portal.pictures import jobs as pictures_jobs
from portal.pictures import pages as pictures
from portal.pictures import staff as desk_pictures
from portal.privacy import breach_staff as desk_breach
from portal.privacy import jobs as privacy_jobs
from portal.privacy import pages as privacy
from portal.privacy import staff as desk_privacy
from portal.refunds import credit_note_staff as desk_credit_notes
from portal.refunds import credit_staff as desk_credit
from portal.refunds import jobs as refunds_jobs
from portal.refunds import limits_staff as desk_limits
from portal.refunds import pages as credit_notes
from portal.refunds import staff as desk_refunds
from portal.returns import asking_staff as desk_asking
from portal.returns import bench_staff as desk_bench
from portal.returns import claims_pages as claims
from portal.returns import claims_staff as desk_claims
from portal.returns import dispatch_pages as return_parcels
from portal.returns import dispatch_staff as desk_dispatch
from portal.returns import jobs as returns_jobs
from portal.returns import oddities_staff as desk_oddities
from portal.returns import pages as returns
from portal.returns import policy_staff as desk_policy
from portal.returns import reasons_staff as desk_reasons
from portal.returns import staff as desk_returns
from portal.returns import withdrawal_pages as withdrawals
from portal.returns import withdrawal_staff as desk_withdrawals
from portal.staff import jobs as staff_jobs
from portal.staff.guards import password_shown, signed_in
from portal.staff.staff import absences as staff_absences
from portal.staff.staff import account as staff_account
from portal.staff.staff import departments as staff_departments
from portal.staff.staff import door as staff_door
from portal.staff.staff import passkeys as staff_passkeys
from portal.staff.staff import people as staff_people
from portal.staff.staff import second as staff_second
from portal.staff.staff import sign_on as staff_sign_on
from portal.tracking import details_pages as details
from portal.tracking import jobs as tracking_jobs
from portal.tracking import pages as tracking

gc.freeze()  # and is not looked through for every request either
gc.enable()

JOBS = (
    sweeps,
    mail_jobs,
    staff_jobs,
    orders_jobs,
    pictures_jobs,
    fulfilment_jobs,
    refunds_jobs,
    returns_jobs,
    feedback_jobs,
    offices_jobs,
    privacy_jobs,
    tracking_jobs,
)


class Portal(Flask):
    """No view, hook or guard of ours is a coroutine, so nothing is looked at again and again to see whether it is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: config.Settings | None = None, **overrides: Any) -> Flask:
    """The portal as a WSGI application. Raises BadSettings with a sentence per missing or wrong setting."""
    app = Portal(__name__, template_folder="../templates", static_folder="../static")
    app.config.from_mapping((settings or config.read()).flask())
    app.config.from_mapping(overrides)

    app.session_interface = cookies.Sessions(app)
    headers.init_app(app)
    Compress(app)
    db.init_app(app)
    Migrate(app, db.db, directory="migrations", compare_type=True)
    pictures_guards.init_app(app)
    csrf = CSRFProtect(app)
    smtp.mailer.init_app(app)
    edge.init_app(app)
    problems.init_app(app)
    jobs.init_app(app)

    register(app, pulse.bp, anyone)
    register(app, pulse.watched, pulse.has_metrics_token)
    register(app, hooks.bp, anyone)
    register(app, api.bp, has_api_key)
    register(app, api.description, anyone)
    register(app, links.bp, anyone)
    register(app, tracking.bp, has_link)
    register(app, details.bp, has_link)
    register(app, credit_notes.bp, has_link)
    register(app, code_pages.bp, has_link)
    register(app, tracking.finding, anyone)
    register(app, pictures.bp, has_link)
    register(app, returns.bp, has_link)
    register(app, return_parcels.bp, has_link)
    register(app, claims.bp, has_link)
    register(app, withdrawals.bp, has_link)
    register(app, withdrawals.public, anyone)
    register(app, feedback.bp, has_link)
    register(app, feedback.unsubscribing, anyone)
    register(app, privacy.bp, has_link)
    register(app, staff_door.bp, anyone)
    register(app, staff_sign_on.bp, anyone)
    register(app, staff_second.bp, password_shown)
    register(app, staff_account.bp, signed_in)
    register(app, staff_passkeys.door, anyone)
    register(app, staff_passkeys.second, password_shown)
    register(app, staff_passkeys.own, signed_in)
    register(app, staff_people.bp, signed_in)
    register(app, staff_departments.bp, signed_in)
    register(app, staff_absences.bp, signed_in)
    register(app, desk.bp, signed_in)
    register(app, desk_parcels.bp, signed_in)
    register(app, desk_waves.bp, signed_in)
    register(app, desk_boxes.bp, signed_in)
    register(app, desk_sscc.bp, signed_in)
    register(app, desk_shorts.bp, signed_in)
    register(app, desk_labels.bp, signed_in)
    register(app, desk_watch.bp, signed_in)
    register(app, desk_attention.bp, signed_in)
    register(app, desk_handoffs.bp, signed_in)
    register(app, desk_couriers.bp, signed_in)
    register(app, desk_pushes.bp, signed_in)
    register(app, desk_keys.bp, signed_in)
    register(app, desk_stock.bp, signed_in)
    register(app, desk_workshop.bp, signed_in)
    register(app, desk_calendar.bp, signed_in)
    register(app, desk_pictures.bp, signed_in)
    register(app, desk_returns.bp, signed_in)
    register(app, desk_bench.bp, signed_in)
    register(app, desk_dispatch.bp, signed_in)
    register(app, desk_oddities.bp, signed_in)
    register(app, desk_oddities.second, signed_in)
    register(app, desk_claims.bp, signed_in)
    register(app, desk_withdrawals.bp, signed_in)
    register(app, desk_policy.bp, signed_in)
    register(app, desk_reasons.bp, signed_in)
    register(app, desk_asking.bp, signed_in)
    register(app, desk_refunds.bp, signed_in)
    register(app, desk_limits.bp, signed_in)
    register(app, desk_credit.bp, signed_in)
    register(app, desk_credit_notes.bp, signed_in)
    register(app, desk_cases.bp, signed_in)
    register(app, desk_case_rules.bp, signed_in)
    register(app, desk_replies.bp, signed_in)
    register(app, desk_snippets.bp, signed_in)
    register(app, desk_offices.bp, signed_in)
    register(app, desk_surveys.bp, signed_in)
    register(app, desk_questions.bp, signed_in)
    register(app, desk_satisfaction.bp, signed_in)
    register(app, desk_causes.bp, signed_in)
    register(app, desk_privacy.bp, signed_in)
    register(app, desk_breach.bp, signed_in)
    csrf.exempt(hooks.bp)
    csrf.exempt(api.bp)
    csrf.exempt(feedback.unsubscribing)
    return app
