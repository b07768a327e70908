// Passkeys at the desk's doors. Where a browser has none, its buttons stay hidden and everything else works.
(() => {
  "use strict";
  const { PublicKeyCredential: Passkey } = window;
  if (!Passkey?.parseRequestOptionsFromJSON || !Passkey.prototype.toJSON) return;

  const ask = async (form) => {
    const token = form.querySelector("[name=csrf_token]").value;
    const answer = await fetch(form.dataset.options, { method: "POST", headers: { "X-CSRFToken": token } });
    if (!answer.ok || answer.redirected) throw new Error("no options");
    const told = await answer.json();
    return form.dataset.passkey === "new"
      ? navigator.credentials.create({ publicKey: Passkey.parseCreationOptionsFromJSON(told) })
      : navigator.credentials.get({ publicKey: Passkey.parseRequestOptionsFromJSON(told) });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const credential = form.querySelector("[name=credential]");
    const failed = form.querySelector("[data-failed]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      failed.hidden = true;
      try {
        credential.value = JSON.stringify((await ask(form)).toJSON());
        form.submit();
      } catch {
        failed.hidden = false;
      }
    });
  }
})();
