"""A stand-in for Stripe on loopback: one program for the tests and the demo, spoken to by the real `stripe` library.

    python -m portal.demo.stripe --port 8003 --state var/stripe.json --webhook URL --secret whsec_…

It models what the portal uses: payment intents, charges, refunds, disputes and events; idempotency keys; Stripe's
errors; signed webhooks. Its clock is its own (`/_control/clock` moves it), and its state survives its end: one file,
replaced as a whole after every change.

- Payments are made by `POST /v1/payment_intents` with `confirm=true`, or by `/_control/payments` under a chosen id.
  `pm_card_visa` refunds at once; `pm_card_pendingRefund` waits 30 seconds; `pm_card_refundFail` succeeds and fails a
  minute later; `pm_card_createDispute` and `pm_card_createDisputeInquiry` are disputed; `pm_bank_transfer`, a name of
  ours, needs action first.
- A key's first answer is stored from the moment execution begins, a 500 included, and replayed for 24 hours; another
  request under it is an error, a second one while the first runs a 409. What is wrong in the parameters is not stored.
- A Checkout session is completed by `/_control/sessions`, with its lines; `/_control/session_payments` pays it later.
- Faults are ordered by `/_control/faults`: before or after execution, a time-out, a cut line, a delay, answers that
  can't be read, 4xx, 5xx.
- Webhooks are delivered in order and again until they are taken. `/_control/webhooks` holds them back,
  `/_control/deliveries` sends them any number of times, in any order, at once. `/_control/requests` is the log.

It does not model: capturing later, Connect, the balance, rate limits (order a 429), permissions of restricted keys,
thin events, or anything but cards in detail. Guessed, for nobody wrote it down: a pending refund uses up what is left;
`amount_refunded` falls back after a failure; which events surround a failure, and in which order; an inquiry does not
mark the charge as disputed.
"""

from collections.abc import Mapping
from pathlib import Path

from portal.demo.stripe.remote import Remote
from portal.demo.stripe.server import StandIn

__all__ = ["Remote", "StandIn", "serve"]


def serve(folder: Path, port: int, environ: Mapping[str, str]) -> None:
    """For the demo: keep the state in `folder`, tell the shop of `environ`, until told to end."""
    folder.mkdir(parents=True, exist_ok=True)
    stand_in = StandIn(folder / "state.json", f"{environ['BASE_URL']}/hooks/stripe", environ["STRIPE_WEBHOOK_SECRET"])
    stand_in.run(port)
