"""Which channels can be asked and told, as the settings say. Nothing here calls anybody."""

from portal.adapters.channels import checkout, shopify, woocommerce
from portal.config import Settings

TELLS = {
    shopify.CODE: frozenset({"shipped", "note", "refunded"}),
    woocommerce.CODE: frozenset({"shipped", "note", "refunded"}),
    checkout.CODE: frozenset[str](),
}
"""What each can be told. Stripe knows of the money itself and has no place for parcels; the API and files have none."""


def connected(settings: Settings) -> list[str]:
    """The codes of those whose address and key are set."""
    ready = {
        shopify.CODE: settings.shopify_url and settings.shopify_admin_token,
        woocommerce.CODE: settings.woocommerce_url and settings.woocommerce_api_key and settings.woocommerce_api_secret,
        checkout.CODE: settings.checkout_webhook_secret and settings.stripe_api_key,
    }
    return [code for code, set_up in ready.items() if set_up]


def tells(settings: Settings) -> dict[str, frozenset[str]]:
    """What can be told to whom, by the channel's code; those that take nothing are left out."""
    return {code: TELLS[code] for code in connected(settings) if TELLS[code]}
