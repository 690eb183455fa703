"use strict";
// Follows the server's beats: replaces what changed, and says so when beats stay away.
const root = document.documentElement;
const beat = Number(root.dataset.beat) * 1000;
const missed = Number(root.dataset.missed);
const frozen = document.getElementById("frozen");
let heard = Date.now();
let mark = root.dataset.mark; // what is shown is at least as new
let busy = false;
let again = false;

function told(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit} ago`;
  }
  return `${Math.max(0, Math.round(seconds))} s ago`;
}

function tick() {
  const silent = Date.now() - heard > missed * beat;
  if (silent) {
    frozen.textContent = `This page has heard nothing for ${Math.round((Date.now() - heard) / 1000)} s: what it shows is old. `
      + "Is the dashboard still running?";
  }
  frozen.hidden = !silent;
  document.body.classList.toggle("is-frozen", silent);
  for (const age of document.querySelectorAll("[data-since]")) {
    age.textContent = told(Date.now() / 1000 - Number(age.dataset.since));
  }
}

async function renew() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Renew": "1" } });
    if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch { /* the next beat tries again */ }
  busy = false;
  if (again) { again = false; renew(); }
}

function swap(fresh) {
  const focused = document.activeElement;
  for (const part of document.querySelectorAll("[data-live]")) {
    const news = fresh.getElementById(part.id);
    if (!news || news.innerHTML === part.dataset.was) continue;
    const place = part.contains(focused) ? [...part.querySelectorAll("a, summary, [tabindex]")].indexOf(focused) : -1;
    part.dataset.was = news.innerHTML;
    part.replaceChildren(...news.childNodes);
    if (place >= 0) part.querySelectorAll("a, summary, [tabindex]")[place]?.focus({ preventScroll: true });
  }
  tick();
  document.dispatchEvent(new Event("news"));
}

function follow() {
  const source = new EventSource("/beats");
  source.onmessage = (event) => {
    heard = Date.now();
    if (event.data !== mark && !document.hidden) renew();
    mark = event.data;
    tick();
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
  setInterval(tick, Math.min(1000, beat));
}

function theme() {
  const button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  try { if (localStorage.theme) root.dataset.theme = localStorage.theme; } catch { /* no storage, no memory */ }
  button.hidden = false;
  name();
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.theme = root.dataset.theme; } catch { /* as above */ }
    name();
    document.dispatchEvent(new Event("theme"));
  });
}

async function remedy() {
  const place = document.getElementById("remedy");
  if (!place) return;
  const answer = await fetch(place.dataset.remedy);
  if (!answer.ok) return;
  const found = await answer.json();
  for (const [part, text] of [["change", found.change && `It would take: ${found.change}.`], ["unlocks", found.unlocks]]) {
    const line = place.querySelector(`[data-${part}]`);
    line.textContent = text || "";
    line.hidden = !text;
  }
}

theme();
tick();
follow();
remedy();
