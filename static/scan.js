// The scanner types and presses Enter. Without this script the page does the same by loading anew, in silence.
(() => {
  "use strict";
  const sounds = { good: [[880, 0, 0.09]], done: [[880, 0, 0.09], [1320, 0.1, 0.16]], bad: [[196, 0, 0.18], [147, 0.2, 0.3]] };
  let player = null;

  const play = (name) => {
    if (!player || !sounds[name]) return;
    for (const [pitch, after, length] of sounds[name]) {
      const tone = player.createOscillator();
      const loudness = player.createGain();
      const start = player.currentTime + after;
      tone.type = name === "bad" ? "square" : "sine";
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0.25, start);
      loudness.gain.exponentialRampToValueAtTime(0.001, start + length);
      tone.connect(loudness).connect(player.destination);
      tone.start(start);
      tone.stop(start + length);
    }
  };

  const show = (page, address) => {
    const main = page.querySelector("#main:has(.scan)");
    if (!main) {
      location.assign(address);
      return;
    }
    const typed = document.activeElement?.matches("main .scan input") ? document.activeElement.value : "";
    document.getElementById("main").replaceWith(document.adoptNode(main));
    document.title = page.title;
    const field = document.querySelector("main [autofocus]");
    if (field) {
      field.value = typed;
      field.focus();
    }
    const sound = document.querySelector("main [data-sound]")?.dataset.sound;
    document.documentElement.dataset.sounded = sound || "";
    play(sound);
  };

  const send = async (address, data) => {
    const answer = await fetch(address, { method: "POST", body: data, credentials: "same-origin" });
    const text = await answer.text();
    if (answer.redirected) history.replaceState(null, "", answer.url);
    show(new DOMParser().parseFromString(text, "text/html"), answer.redirected ? answer.url : location.href);
  };

  let busy = Promise.resolve();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-scanned]")) return;
    event.preventDefault();
    if (!player && window.AudioContext) player = new AudioContext();
    const data = new FormData(form, event.submitter);
    form.querySelectorAll("input[autofocus]").forEach((input) => (input.value = ""));
    // Whatever went wrong, nobody knows whether it was counted: look, and never send it twice.
    busy = busy.then(() => send(form.action, data)).catch(() => location.reload());
  });
})();
