// One decision: what, why, what is normal for this customer or machine, and the record itself.
import { ask } from "../api.js";
import { curves, small, strip } from "../charts.js";
import { h, put } from "../dom.js";
import { count, moment, outcome, score, isOddity, isProbability } from "../format.js";

export function decisionView(domain, entity, time, id) {
  return async (root, page) => {
    await detail(root, { domain, entity, time: Number(time), id }, page);
    return {};
  };
}

// What is drawn of a domain's decisions beside the score.
const MEASURES = {
  fraud: (name) => name === "amount",
  maintenance: (name) => name.startsWith("drift_"),
};
const TITLES = { fraud: "This customer's payments, by amount", maintenance: "Remaining life, cycles" };

/** Fill an element with all that is known of a decision. */
export async function detail(element, asked, page) {
  const { domain, entity, time, id } = asked;
  const whole = await ask("decision", { domain, entity, time, id });
  const measured = Object.keys(whole.features).filter((name) => MEASURES[domain]?.(name));
  const others = await ask("decisions", {
    domain, entity, limit: 300, days: 92, features: measured.join(","),
  });
  const d = whole.decision;
  const chart = h("div", { class: "chart" });
  const sensors = h("div", { class: "sensors" });
  put(element,
    h("h1", {}, outcome(d.outcome, d.alert), ` ${d.entity} `, h("span", { class: "quiet" }, asked.said ?? "")),
    h("p", {}, h("span", { class: "large" }, score(d)), " ",
      h("span", { class: "quiet" }, meaning(d), ", event of ", moment(d.time))),
    d.degraded ? h("p", { class: "notice person" }, "Decided by rules alone: the model had no score.") : null,
    h("h2", {}, "Why"),
    d.reasons.length
      ? h("ul", { class: "reasons" }, d.reasons.map((r) => h("li", {}, r.text)))
      : h("p", { class: "quiet" }, "No reasons: nothing stood out."),
    h("h2", {}, domain === "maintenance" && isProbability(d) ? "Probability of a failure" : domain === "maintenance" && isOddity(d) ? "How surprising, decades" : TITLES[domain] ?? `Scores of ${entity}`),
    chart,
    h("p", { class: "quiet small" }, caption(domain, others.decisions, measured)),
    sensors,
    h("h2", {}, "The record"),
    whole.value === null
      ? h("p", { class: "quiet" }, "Kafka has this record no more; the decision stays.")
      : h("pre", { class: "code" }, pretty(whole.value)),
    h("h2", {}, "Where it comes from"),
    pairs(
      ["record", h("code", {}, d.record)], ["model", whole.model], ["rules", whole.rules],
      ["features", whole.feature_set],
      ["ledger", whole.ledger.length
        ? whole.ledger.map((w) => h("div", {}, `${w.state} by ${w.part}, batch ${count(w.first)} to ${count(w.last)}, ${count(w.age)} ms after its oldest record`))
        : "not written yet"],
    ),
    h("h2", {}, "Features"),
    h("details", {}, h("summary", {}, `${Object.keys(whole.features).length} features`),
      h("table", {}, h("tbody", {}, Object.entries(whole.features).map(([name, value]) =>
        h("tr", {}, h("td", {}, name), h("td", { class: "number" }, String(value))))))),
  );
  plot(chart, domain, others.decisions, d);
  if (domain === "maintenance") drifts(sensors, others.decisions, measured);
}

// What the score is.
function meaning(decision) {
  if (decision.domain !== "maintenance") return "probability of fraud";
  if (isProbability(decision)) return "that it fails";
  return isOddity(decision) ? "from its normal; remaining life unknown" : "estimated to be left";
}

function pairs(...given) {
  return h("dl", {}, given.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function caption(domain, decisions, measured) {
  const alerts = decisions.filter((d) => d.alert).length;
  const text = `${count(decisions.length)} decisions, ${count(alerts)} of them alerts.`;
  if (domain === "fraud") return `${text} Large dots: alerts. Shaded: the middle 90 % of the rest. Whatever the currency, 1 is about a euro.`;
  if (domain === "maintenance" && measured.length) return `${text} Below: each sensor's drift from this unit's own baseline; shaded: within 2 standard deviations.`;
  return text;
}

function plot(element, domain, decisions, chosen) {
  const ordered = decisions.filter((d) => d.score >= 0).sort((a, b) => a.time - b.time);
  if (ordered.length < 2) {
    put(element, h("p", { class: "quiet" }, "It is the first one: there is nothing to compare it with."));
    return;
  }
  const times = ordered.map((d) => d.time);
  if (domain === "maintenance") {
    curves(element, times, [{ label: isProbability(chosen) ? "probability" : isOddity(chosen) ? "surprise" : "remaining life", values: ordered.map((d) => d.score) }]);
    return;
  }
  const value = (d) => (d.features.amount === undefined ? d.score : d.features.amount / 100);
  const usual = ordered.filter((d) => !d.alert).map(value).sort((a, b) => a - b);
  const part = (share) => usual[Math.round(share * (usual.length - 1))];
  strip(element, times, ordered.map(value), usual.length > 4 ? [part(0.05), part(0.95)] : null,
    ordered.map((d) => d.alert || d.id === chosen.id), domain === "fraud" ? "amount" : "score");
}

// The sensors that speak most for wear come first.
function drifts(element, decisions, names) {
  const ordered = decisions.filter((d) => d.record).sort((a, b) => a.time - b.time);
  if (ordered.length < 2) return;
  const last = (name) => Math.abs(ordered.at(-1).features[name] ?? 0);
  const times = ordered.map((d) => d.time);
  for (const name of [...names].sort((a, b) => last(b) - last(a)).slice(0, 6)) {
    const chart = h("div", { class: "chart" });
    element.append(h("div", {},
      h("span", { class: "small" }, name.replace("drift_", ""), " ",
        h("span", { class: "quiet" }, `${(ordered.at(-1).features[name] ?? 0).toFixed(1)} σ`)), chart));
    small(chart, times, ordered.map((d) => d.features[name] ?? null));
  }
}

function pretty(value) {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}
