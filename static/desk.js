// Keys for the desk. Everything works without: rows are links, search is a form.
(() => {
  "use strict";
  const rows = () => [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector("a[href]"));
  const place = `row:${location.pathname}${location.search}`;
  const search = document.querySelector("input[name=q]");
  let at = -1;

  const select = (index) => {
    const all = rows();
    if (!all.length) return;
    all[at]?.removeAttribute("aria-current");
    at = Math.max(0, Math.min(all.length - 1, index));
    all[at].setAttribute("aria-current", "true");
    all[at].scrollIntoView({ block: "nearest" });
    sessionStorage.setItem(place, at);
  };

  const keys = {
    j: () => select(at + 1),
    k: () => select(at - 1),
    Enter: () => rows()[at]?.querySelector("a[href]").click(),
    "/": () => {
      search?.focus();
      search?.select();
    },
    "?": () => document.getElementById("keys").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, dialog[open]");
    if (event.key === "Escape" && event.target.matches("input, select")) event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    if (event.key === "Enter" && (at < 0 || event.target !== document.body)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // On a narrow screen the queues are one row that slides: the one that is open is in sight.
  document.querySelector(".queues [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  const waiting = document.querySelector("[data-again]");
  const untouched = () => [...document.querySelectorAll("main input:not([type=hidden])")].every((input) => input.value === input.defaultValue);
  if (waiting) setTimeout(() => untouched() && location.reload(), Number(waiting.dataset.again) * 1000);

  const before = performance.getEntriesByType("navigation")[0]?.type === "back_forward" && sessionStorage.getItem(place);
  if (before) select(Number(before));
})();
