// Rules and models: which of them alert, how often they are right, and whether the stream has changed.
import { ask } from "../api.js";
import { h, put, svg } from "../dom.js";
import { curves } from "./curves.js";
import { count, many, moment, share, zoned } from "../format.js";

const SAMPLE = 500;
const NOISY = 0.2; // a rule that is right less often than this needs somebody
const DRIFT = [0.1, 0.25]; // little, much: Siddiqi, "Credit Risk Scorecards", 2006

export function rules(domain) {
  return async (root, page) => {
    root.classList.add("reading");
    const domains = page.streams.filter((s) => s.alert_outcomes.length).map((s) => s.domain);
    const shown = domains.includes(domain) ? domain : domains[0];
    const figures = h("div"), drift = h("div");
    const [{ decisions, next }, rollout, labelled] = await Promise.all([
      ask("alerts", { domain: shown, limit: SAMPLE }), ["fraud", "maintenance"].includes(shown) ? ask("versions", { domain: shown }) : null,
      shown === "fraud" ? ask("curves", { domain: shown }).catch(() => null) : null,
    ]);
    put(root, h("h1", {}, "Rules and models"),
      h("p", { class: "tools" }, domains.map((d) => h("a", { href: `#rules/${d}`, class: "tab", "aria-current": d === shown ? "true" : null }, d))),
      figures, inForce(rollout),
      h("h2", {}, `What alerted, of the newest ${many(decisions.length, "alert")}${next ? "" : ": all there are"}`), table(tally(decisions), shown),
      labelled ? [h("h2", {}, "What labels say of the scores"), curves(labelled)] : null,
      h("h2", {}, "Is the stream still like the training? Stability index, the greatest of all tasks"), drift,
      h("p", { class: "small quiet" }, "Try a change before it is live: ", h("code", {}, "./stormwatch rules backtest my-rules.toml"), "."));
    return {
      part(name, told) {
        if (name !== "rates") return;
        const f = told.figures.find((one) => one.domain === shown);
        put(figures, f ? [overall(f), Object.values(f.alarms ?? {}).map((text) => h("p", { class: "notice person" }, text))] : h("p", { class: "quiet" }, `${shown} does not run.`));
        put(drift, f ? drifts(f.drift) : null);
      },
    };
  };
}

function overall(f) {
  return h("p", { class: "figures" }, h("span", { class: "large" }, f.precision === null ? "no label yet" : `${share(f.precision)} of labelled alerts were right`), " ",
    h("span", { class: "quiet" }, f.precision === null ? "precision and recall are known as labels arrive (./stormwatch label)" : `${share(f.recall)} of labelled frauds were found`,
      ` · ${many(f.alerts, "alert")} of ${count(f.decided)} decided`, f.degraded ? ` · ${count(f.degraded)} by rules alone` : ""));
}

// The versions that decide now, who brought them, and each rule with what it did.
function inForce(told) {
  if (!told) return null;
  const r = told.rules;
  const versions = [
    r ? ["rules", r.version, r.revision ? `revision ${r.revision}` : "of the settings", r.at, r.by, r.reason] : null,
    ...(told.models ?? []).map((m) => ["model", m.version, m.share && m.share < 1 ? `${m.state} ${share(m.share)}` : m.state, m.since, m.by, m.reason]),
  ].filter(Boolean);
  const late = r ? told.tasks.filter((t) => t.revisions.rules !== undefined && t.revisions.rules < r.revision) : [];
  return [
    versions.length ? [h("h2", {}, "In force"), h("table", {}, h("tbody", {}, versions.map(([what, version, state, at, by, reason]) => h("tr", {}, h("td", { class: "short" }, what), h("td", {}, h("code", {}, version)),
      h("td", {}, state), h("td", {}, at ? moment(at) : ""), h("td", { class: "quiet" }, [by, reason].filter(Boolean).join(": "))))))] : null,
    late.length ? h("p", { class: "notice person" }, `${many(late.length, "task")} decide by an older revision still: ${late.map((t) => t.name).join(", ")}.`) : null,
    r ? [h("h2", {}, "Rules, since the tasks began"), rulesTable(r.rules)] : null,
  ];
}

function rulesTable(all) {
  const sorted = [...all].sort((a, b) => b.hits + b.shadow_hits - a.hits - a.shadow_hits);
  return h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "rule"), h("th", {}, "state"), ["hits", "in shadow", "snoozed or capped"].map((t) => h("th", { class: "number" }, t)), h("th", {}, "activity"), h("th", { class: "wide" }, "condition"), h("th", { class: "wide" }, "owner"))),
    h("tbody", {}, sorted.map((r) => h("tr", {}, h("td", {}, h("code", {}, r.id)), h("td", { class: "short" }, r.state, h("span", { class: "quiet" }, ` ${r.severity}`)),
      [r.hits, r.shadow_hits, r.snoozed_hits].map((n) => h("td", { class: "number" }, count(n))),
      h("td", { class: "quiet short" }, r.state === "off" ? "" : r.hits + r.shadow_hits ? "" : "silent"), h("td", { class: "wide" }, h("code", {}, r.when)), h("td", { class: "wide quiet" }, r.owner)))));
}

// By the reason that weighed most: how many alerts, and what people and labels said of them.
function tally(alerts) {
  const found = new Map();
  for (const a of alerts) {
    for (const [i, r] of a.reasons.entries()) {
      const one = found.get(r.code) ?? { code: r.code, alerts: 0, first: 0, fraud: 0, cleared: 0, newest: 0, text: zoned(r.text) };
      found.set(r.code, one);
      one.alerts++;
      if (i === 0) one.first++;
      one.newest = Math.max(one.newest, a.timestamp);
      const label = a.work?.label;
      if (label) one[label === "cleared" ? "cleared" : "fraud"]++;
    }
  }
  return [...found.values()].sort((a, b) => b.alerts - a.alerts);
}

function table(rows, domain) {
  if (!rows.length) return h("p", { class: "notice" }, `${domain} has no alert yet.`);
  return [h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "reason"), ["alerts", "foremost", "said to be right", "wrong", "precision"].map((t) => h("th", { class: "number" }, t)),
    h("th", {}, "newest"), h("th", { class: "wide" }, "for example"))),
  h("tbody", {}, rows.map((r) => {
    const told = r.fraud + r.cleared, precision = told ? r.fraud / told : null, noisy = told >= 5 && precision < NOISY;
    return h("tr", {}, h("td", {}, h("code", {}, r.code)), [r.alerts, r.first, r.fraud, r.cleared].map((n) => h("td", { class: "number" }, count(n))),
      h("td", { class: "number" }, precision === null ? "–" : h("span", { class: `word ${noisy ? "person" : ""}` }, share(precision), noisy ? " noisy" : "")),
      h("td", {}, moment(r.newest)), h("td", { class: "wide" }, h("span", { class: "clamp" }, r.text)));
  }))),
  h("p", { class: "small quiet" }, "Right and wrong: what people said with f and c. What labels said is above, over all that was labelled.")];
}

function drifts(drift) {
  const all = Object.entries(drift).sort((a, b) => b[1] - a[1]).slice(0, 20);
  if (!all.length) return h("p", { class: "quiet" }, "Not known yet: it takes a window of decisions, and a model that says what it was trained on.");
  const top = Math.max(all[0][1], 0.4);
  return h("table", { class: "parts" }, h("tbody", {}, all.map(([name, v]) => h("tr", {}, h("td", {}, name),
    h("td", {}, svg("svg", { class: "bar", width: 200, height: 10, "aria-hidden": "true" }, svg("rect", { width: (200 * v) / top, height: 10, class: v > DRIFT[1] ? "person" : "" }),
      DRIFT.map((d) => svg("line", { x1: (200 * d) / top, x2: (200 * d) / top, y1: 0, y2: 10 })))),
    h("td", { class: "number" }, v.toFixed(2)), h("td", {}, v > DRIFT[1] ? h("span", { class: "word person" }, "much has changed") : v > DRIFT[0] ? "somewhat" : "as in the training")))));
}
