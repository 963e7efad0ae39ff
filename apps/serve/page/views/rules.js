// Rules and models: which of them alert, how often they are right, and whether the stream has changed.
import { ask, askIfThere } from "../api.js";
import { h, put, svg } from "../dom.js";
import { count, many, moment, share } from "../format.js";

const SAMPLE = 500;
const NOISY = 0.2; // a rule that is right less often than this needs somebody
const DRIFT = [0.1, 0.25]; // little, much: Siddiqi, "Credit Risk Scorecards", 2006

export function rules(domain) {
  return async (root, page) => {
    root.classList.add("reading");
    const domains = page.streams.filter((s) => s.alert_outcomes.length).map((s) => s.domain);
    const shown = domains.includes(domain) ? domain : domains[0];
    const figures = h("div"), drift = h("div");
    const [{ decisions, next }, rollout] = await Promise.all([
      ask("alerts", { domain: shown, limit: SAMPLE }), askIfThere("rollout", { domain: shown }).catch(() => null),
    ]);
    put(root, h("h1", {}, "Rules and models"),
      h("p", { class: "tools" }, domains.map((d) => h("a", { href: `#rules/${d}`, class: "tab", "aria-current": d === shown ? "true" : null }, d))),
      figures, inForce(rollout),
      h("h2", {}, `What alerted, of the newest ${many(decisions.length, "alert")}${next ? "" : ": all there are"}`), table(tally(decisions), shown, rollout),
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
  return h("p", { class: "figures" }, h("span", { class: "large" }, f.precision === null ? "no label yet" : `${share(f.precision)} of labelled alerts deserved`), " ",
    h("span", { class: "quiet" }, f.precision === null ? "precision and recall are known as labels arrive (./stormwatch label)" : `${share(f.recall)} of labelled frauds were found`,
      ` · ${many(f.alerts, "alert")} of ${count(f.decided)} decided`, f.degraded ? ` · ${count(f.degraded)} by rules alone` : ""));
}

function inForce(told) {
  if (!told) return null;
  const r = told.rules ?? {};
  return [h("h2", {}, "In force"), h("table", {}, h("tbody", {},
    r.version ? h("tr", {}, h("td", {}, "rules"), h("td", {}, h("code", {}, r.version)), h("td", {}, "live"), h("td", {}, r.at ? moment(r.at) : ""), h("td", {}, [r.by, r.reason].filter(Boolean).join(": "))) : null,
    (told.models ?? []).map((m) => h("tr", {}, h("td", {}, "model"), h("td", {}, h("code", {}, m.version)), h("td", {}, m.state, m.share ? ` ${share(m.share)}` : ""),
      h("td", {}, m.since ? moment(m.since) : ""), h("td", {}, [m.by, m.reason].filter(Boolean).join(": ")))))) ];
}

// By the reason that weighed most: how many alerts, and what people and labels said of them.
function tally(alerts) {
  const found = new Map();
  for (const a of alerts) {
    for (const [i, r] of a.reasons.entries()) {
      const one = found.get(r.code) ?? { code: r.code, alerts: 0, first: 0, fraud: 0, cleared: 0, newest: 0, text: r.text };
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

function table(rows, domain, told) {
  const hits = new Map((told?.rules?.rules ?? []).map((r) => [r.id, r]));
  const silent = [...hits.values()].filter((r) => !r.hits && r.state !== "off");
  if (!rows.length) return h("p", { class: "notice" }, `${domain} has no alert yet.`);
  return [h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "reason"), ["alerts", "foremost", "said to be right", "wrong", "precision"].map((t) => h("th", { class: "number" }, t)),
    h("th", {}, "newest"), hits.size ? ["state", "hits", "in shadow"].map((t) => h("th", {}, t)) : null, h("th", { class: "wide" }, "for example"))),
  h("tbody", {}, rows.map((r) => {
    const told_ = r.fraud + r.cleared, precision = told_ ? r.fraud / told_ : null, rule = hits.get(r.code);
    return h("tr", {}, h("td", {}, h("code", {}, r.code)), [r.alerts, r.first, r.fraud, r.cleared].map((n) => h("td", { class: "number" }, count(n))),
      h("td", { class: "number" }, precision === null ? "–" : h("span", { class: `word ${precision < NOISY && told_ >= 5 ? "person" : ""}` }, share(precision), precision < NOISY && told_ >= 5 ? " noisy" : "")),
      h("td", {}, moment(r.newest)), hits.size ? [rule?.state ?? "", rule ? count(rule.hits) : "", rule ? count(rule.shadow_hits ?? 0) : ""].map((t) => h("td", {}, t)) : null,
      h("td", { class: "wide" }, h("span", { class: "clamp" }, r.text)));
  }))),
  silent.length ? h("p", { class: "notice" }, `Silent: ${silent.map((r) => r.id).join(", ")} matched nothing since the bolts started.`) : null,
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
