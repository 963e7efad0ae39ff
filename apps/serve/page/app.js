// The page: views by the address behind #, one stream of news for all of them.
import { ask, follow } from "./api.js";
import { h, put } from "./dom.js";
import { at } from "./format.js";
import { decisionView } from "./views/decision.js";
import { now } from "./views/now.js";
import { quality } from "./views/quality.js";
import { queue } from "./views/queue.js";

const VIEWS = {
  now: ["Now", () => now],
  fraud: ["Fraud", () => queue("fraud", "Payments to look at")],
  machines: ["Machines", () => queue("maintenance", "Machines in trouble")],
  quality: ["Data quality", (domain) => quality(domain)],
  decision: [null, (...which) => decisionView(...which)],
};
const main = document.getElementById("main");
const state = document.getElementById("state");
const page = { parts: {}, streams: [], alerting: new Set() };
let shown = {}, turn = 0;

async function show() {
  const [name, ...rest] = (location.hash.slice(1) || "now").split("/").map(decodeURIComponent);
  const [, make] = VIEWS[name] ?? VIEWS.now;
  put(document.getElementById("nav"), Object.entries(VIEWS).filter(([, [title]]) => title).map(([key, [title]]) =>
    h("a", { href: `#${key}`, "aria-current": key === name ? "page" : null }, title)));
  document.title = `${VIEWS[name]?.[0] ?? "Decision"} · Stormwatch`;
  const mine = ++turn;
  shown = {};
  const root = h("div");
  try {
    const view = await make(...rest)(root, page);
    if (mine !== turn) return; // another view was chosen meanwhile
    put(main, root);
    shown = view;
    for (const [part, told] of Object.entries(page.parts)) shown.part?.(part, told);
  } catch (error) {
    if (mine !== turn) return;
    put(main, h("p", { class: "notice broken" }, error.message), h("p", {}, h("a", { href: "#now" }, "Back to Now")));
  }
}

function well() {
  const { trouble, rates } = page.parts;
  const lost = (page.parts.ledgers?.ledgers ?? []).filter((l) => !l.sound);
  main.classList.toggle("stale", Boolean(trouble?.said));
  state.classList.toggle("bad", Boolean(trouble?.said || lost.length));
  if (trouble?.said) put(state, `Since ${at(trouble.since)}: ${trouble.said}`);
  else if (lost.length) put(state, `The ledger of ${lost.map((l) => l.topic).join(", ")} is not sound`);
  else if (rates?.at) put(state, `${at(rates.at)} all is well`);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea")) return;
  const help = document.getElementById("help");
  const index = "1234".indexOf(event.key);
  if (event.key === "?") help.open ? help.close() : help.showModal();
  else if (index >= 0) location.hash = Object.keys(VIEWS)[index];
  else if (!shown.keys?.(event.key)) return;
  event.preventDefault();
}

function helpText() {
  const rows = [["1 2 3 4", "views"], ["j k", "next and last alert"], ["Enter", "the alert alone"],
    ["?", "this help"], ["Esc", "close"]];
  put(document.getElementById("help"), h("h1", { id: "help-title" }, "Keys"),
    h("dl", {}, rows.map(([key, what]) => [h("dt", {}, key.split(" ").map((k) => [h("kbd", {}, k), " "])), h("dd", {}, what)])));
}

async function start() {
  helpText();
  addEventListener("keydown", keys);
  addEventListener("hashchange", show);
  try {
    page.streams = await ask("streams");
    page.alerting = new Set(page.streams.flatMap((s) => s.alert_outcomes));
  } catch (error) {
    put(main, h("p", { class: "notice broken" }, error.message));
  }
  await show();
  follow((part, told) => {
    page.parts[part] = told;
    well();
    shown.part?.(part, told);
  }, (since) => {
    main.classList.add("stale");
    state.classList.add("bad");
    put(state, `The server does not answer since ${at(since)}; asking again`);
  });
}

start();
