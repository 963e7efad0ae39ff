// Posts: which brand is spoken of more than usual, and what was said.
import { ask, decisionsOf } from "../api.js";
import { curves } from "../charts.js";
import { h, put } from "../dom.js";
import { age, count, many, moment, outcome, score } from "../format.js";
import { KEEP, newsOf, same } from "../news.js";
import { place, provenance, why } from "./alerts.js";
import { cases } from "./cases.js";
import { pane } from "./pane.js";
import { recordOf, whyOf } from "./why.js";

const FEATURES = "mentions,usual,surprise,mood,sentiment";

export async function posts(root) {
  const first = await ask("alerts", { domain: "social", limit: 300 });
  let shown = first.decisions, waiting = [], next = first.next, list = null, gone = false;
  const news = newsOf("social", {});
  let only = shown.some((a) => a.outcome === "spike");
  const filter = h("button", { onclick: () => { only = !only; list.draw(); } }, "spikes only");
  root.classList.add("named");
  // A spike is told again while it grows: one row, as of the last time.
  const spikes = () => cases(shown.filter((a) => a.outcome === "spike")).map((one) => one.alerts[0]);
  const rest = () => shown.filter((a) => a.outcome !== "spike");
  const items = () => [...spikes(), ...(only ? [] : rest())].sort((a, b) => b.timestamp - a.timestamp);
  const head = () => {
    const told = spikes();
    const brands = [...new Set(told.map((a) => a.entity))].map((b) => [b, told.filter((a) => a.entity === b).length]).sort((a, b) => b[1] - a[1]);
    filter.setAttribute("aria-pressed", String(only));
    return [h("h1", {}, "Posts"), h("p", { class: "figures" }, h("span", { class: "large" }, many(told.length, "spike")), " ",
      h("span", { class: "quiet" }, brands.length ? `${brands.slice(0, 4).map(([b, n]) => (n > 1 ? `${b} ${n}` : b)).join(", ")}${brands.length > 4 ? ", …" : ""} · ` : "", `${many(rest().length, "post")} that ask for an answer`))];
  };
  list = pane(root, {
    title: "Brands", tools: filter, key: same, place, items,
    words: (a) => `${a.entity} ${a.outcome} ${why(a)}`,
    head,
    empty: () => (shown.length ? h("p", { class: "notice" }, "No brand is spoken of more than usual.") : h("p", { class: "notice" }, "No post was decided as an alert yet. Start ", h("code", {}, "./stormwatch demo"), " or ", h("code", {}, "./stormwatch run --topology social"), ".")),
    row: (a) => [h("span", { class: "who" }, a.entity), h("span", {}, outcome(a.outcome, true)), h("span", { class: "number quiet" }, age(Date.now() - a.timestamp)), h("span", { class: "why quiet" }, a.outcome === "spike" ? why(a).split(";")[0] : why(a).replace(/^.*?: /, ""))],
    newer: () => waiting.length, take, more: () => (next && shown.length < KEEP ? older : null), open: detail,
  });
  function take() { shown = [...waiting, ...shown].slice(0, KEEP); waiting = []; }
  async function older() {
    const more = await ask("alerts", { domain: "social", limit: 300, after: next });
    shown = [...shown, ...more.decisions];
    next = more.next;
    list.draw();
  }
  async function detail(a, side) {
    const { domain, entity, time, id } = a;
    const whole = await ask("decision", { domain, entity, time, id });
    const others = await decisionsOf({ domain, entity, limit: 500, days: 31, features: FEATURES });
    const past = others.decisions.filter((d) => d.features.mentions !== undefined).sort((x, y) => x.time - y.time);
    const mentions = h("div", { class: "chart" }), mood = h("div", { class: "chart" }), pointed = h("p", { class: "small quiet pointed" });
    const d = whole.decision;
    put(side, h("h1", {}, outcome(d.outcome, d.alert), " ", entity),
      h("p", { class: "figures" }, h("span", { class: "large" }, whole.features.mentions ? many(whole.features.mentions, "mention") : score(d)),
        h("span", { class: "quiet" }, whole.features.mentions ? ` in five minutes; usual ${(whole.features.usual ?? 0).toFixed(1)} · ` : " of this post, from -1 to 1 · ", moment(d.time))),
      whyOf(whole), past.length < 2 ? h("p", { class: "quiet" }, "Too few of its posts are known to draw what is usual.")
        : [h("h2", {}, "Mentions in five minutes; grey: what is usual"), mentions, h("h2", {}, "Mood, from -1 to 1"), mood, pointed], recordOf(whole, provenance(whole)));
    if (past.length < 2) return;
    const times = past.map((p) => p.time);
    const said = (i) => put(pointed, i === null ? `${many(past.length, "mention")} of ${entity}.` : [moment(times[i]), ` · ${count(past[i].features.mentions)} mentions, usual ${past[i].features.usual.toFixed(1)} · mood ${past[i].features.mood.toFixed(2)}`]);
    said(null);
    curves(mentions, times, [{ values: past.map((p) => p.features.mentions) }, { values: past.map((p) => p.features.usual), quiet: true }], { key: "posts", said });
    curves(mood, times, [{ values: past.map((p) => p.features.mood) }], { key: "posts", said, height: 100 });
  }
  list.draw();
  setTimeout(() => list.openFirst());
  return {
    async part(name, state) {
      if (name !== "alerts") return;
      const fresh = await news(state.alerts, new Set([...shown, ...waiting].map(same)));
      if (gone) return;
      waiting = [...fresh, ...waiting].slice(0, KEEP);
      if (!list.held && !list.chosen) take();
      list.draw();
    },
    keys: (pressed) => list.keys(pressed),
    leave() { gone = true; },
  };
}
