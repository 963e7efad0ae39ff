// The page: views by the address behind #, one stream of news for all of them.
import { ask, follow } from "./api.js";
import { release } from "./charts.js";
import { h, put } from "./dom.js";
import { at, behindBy, delay } from "./format.js";
import { decisionView } from "./views/decision.js";
import { fraud } from "./views/fraud.js";
import { machines } from "./views/machines.js";
import { now } from "./views/now.js";
import { operations } from "./views/operations.js";
import { posts } from "./views/posts.js";
import { quality } from "./views/quality.js";
import { recommendations } from "./views/recommendations.js";
import { rules } from "./views/rules.js";
import { signIn } from "./views/sign_in.js";
import { tour } from "./views/tour.js";

const VIEWS = {
  now: ["Now", () => now],
  fraud: ["Fraud", () => fraud],
  machines: ["Machines", () => machines],
  posts: ["Posts", () => posts],
  recommendations: ["Recommendations", () => recommendations],
  rules: ["Rules and models", (domain) => rules(domain)],
  quality: ["Data quality", (domain, code) => quality(domain, code)],
  operations: ["Operations", () => operations],
  try: ["Try it", () => tour],
  "sign-in": [null, () => signIn],
  decision: [null, (...which) => decisionView(...which)],
};
const NAMED = Object.keys(VIEWS).filter((name) => VIEWS[name][0]);
const HELP = [["j k", "next and last in a list"], ["Enter", "the chosen one alone"], ["Esc", "close it"], ["/", "search"],
  ["f c", "confirm as fraud, clear"], ["l", "look into it"], ["s", "snooze for 24 h"], ["n", "note"], ["a", "hand over"], ["r", "a machine is repaired"],
  ["u", "undo"], ["o", "order of the list"], ["?", "this help"]];
const main = document.getElementById("main");
const state = document.getElementById("state");
const page = { parts: {}, streams: [], alerting: new Set(), last: "#now" };
let shown = {}, turn = 0;

async function show() {
  const [name, ...rest] = (location.hash.slice(1) || "now").split("/").map(decoded);
  const [title, make] = VIEWS[name] ?? VIEWS.now;
  put(document.getElementById("nav"), NAMED.map((key) =>
    h("a", { href: `#${key}`, "aria-current": key === name ? "page" : null }, VIEWS[key][0])));
  document.querySelector("#nav [aria-current]")?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  document.title = `${title ?? "Decision"} · Stormwatch`;
  if (title) page.last = `#${name}`;
  const mine = ++turn;
  shown.leave?.();
  shown = {};
  const root = h("div");
  main.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => { // the last view stays, greyed; the first has nothing to keep
    if (mine !== turn) return;
    main.classList.add("loading");
    if (!main.firstChild) put(main, h("p", { class: "quiet", role: "status" }, `Loading ${title ?? "the decision"}`));
  }, 200);
  try {
    const view = await make(...rest)(root, page);
    if (mine !== turn) return view.leave?.(); // another view was chosen meanwhile
    put(main, root);
    shown = view;
    for (const [part, told] of Object.entries(page.parts)) shown.part?.(part, told);
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401 && name !== "sign-in") return signedOut(error.message);
    const passing = error.status === 0 || error.status >= 500; // a page on a wall has nobody who asks again
    if (passing) setTimeout(() => mine === turn && show(), AGAIN_MS);
    put(main, h("p", { class: "notice broken", role: "alert" }, error.message, passing ? " It is asked again by itself." : null),
      h("p", {}, h("button", { onclick: show }, "Ask again"), " ", h("a", { href: "#now" }, "Back to Now")));
  }
  clearTimeout(slow);
  main.classList.remove("loading");
  main.removeAttribute("aria-busy");
  release();
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // somebody's own "%"
  }
}

function signedOut(why) {
  page.out = why;
  location.hash = "#sign-in";
}

const AGAIN_MS = 5_000;
const BEHIND = 1_000, BEHIND_MS = 10_000; // records, and how long they take at the rate of now

function well() {
  const { trouble, rates } = page.parts;
  const lost = (page.parts.ledgers?.ledgers ?? []).filter((l) => !l.sound);
  const behind = (rates?.figures ?? []).filter((f) => f.running && f.waiting > BEHIND && delay(f) > BEHIND_MS);
  main.classList.toggle("stale", Boolean(trouble?.said));
  state.classList.toggle("bad", Boolean(trouble?.said || lost.length));
  if (trouble?.said) put(state, `Since ${at(trouble.since)}: ${trouble.said}`);
  else if (lost.length) put(state, h("a", { href: "#quality" }, `The ledger of ${lost.map((l) => l.topic).join(", ")} is not sound`));
  else if (behind.length) put(state, h("a", { href: "#operations" }, `${behind.map((f) => f.domain).join(", ")}: ${behindBy(behind)}`));
  else if (rates?.at) put(state, `${at(rates.at)} all is well`);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const help = document.getElementById("help");
  const index = "123456789".indexOf(event.key);
  if (event.key === "?") help.open ? help.close() : help.showModal();
  else if (help.open) return;
  else if (index >= 0 && index < NAMED.length) location.hash = NAMED[index];
  else if (!shown.keys?.(event.key)) return;
  event.preventDefault();
}

function helpText() {
  const rows = [[NAMED.map((_, i) => i + 1).join(" "), NAMED.map((name) => VIEWS[name][0]).join(", ")], ...HELP];
  put(document.getElementById("help"), h("h1", { id: "help-title" }, "Keys"),
    h("dl", {}, rows.map(([key, what]) => [h("dt", {}, key.split(" ").map((k) => [h("kbd", {}, k), " "])), h("dd", {}, what)])),
    h("p", { class: "small quiet" }, "Times are of this browser's clock; point at one to read UTC."));
}

async function start() {
  helpText();
  addEventListener("keydown", keys);
  addEventListener("hashchange", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  try {
    page.streams = await ask("streams");
    page.alerting = new Set(page.streams.flatMap((s) => s.alert_outcomes));
  } catch (error) {
    if (error.status === 401) signedOut(error.message);
    else put(main, h("p", { class: "notice broken", role: "alert" }, error.message));
  }
  await show();
  // A page that nobody sees keeps what is newest, unread.
  const news = new Map();
  function take() {
    const parts = [...news.keys()];
    for (const part of parts) page.parts[part] = JSON.parse(news.get(part));
    news.clear();
    if (parts.length) well();
    for (const part of parts) shown.part?.(part, page.parts[part]);
  }
  document.addEventListener("visibilitychange", () => document.hidden || take());
  follow((part, text) => {
    news.set(part, text);
    if (!document.hidden) take();
  }, (since) => {
    main.classList.add("stale");
    state.classList.add("bad");
    put(state, `The server does not answer since ${at(since)}; asking again`);
  }, signedOut);
}

start();
