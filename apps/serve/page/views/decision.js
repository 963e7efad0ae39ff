// One decision: what, why, what is normal for this customer or machine, and the record itself.
import { ask } from "../api.js";
import { curves, strip } from "../charts.js";
import { h, put } from "../dom.js";
import { count, moment, outcome, score } from "../format.js";

export function decisionView(domain, entity, time, id) {
  return async (root, page) => {
    await detail(root, { domain, entity, time: Number(time), id }, page);
    return {};
  };
}

/** Fill an element with all that is known of a decision. */
export async function detail(element, asked, page) {
  const { domain, entity, time, id } = asked;
  const [whole, others] = await Promise.all([
    ask("decision", { domain, entity, time, id }),
    ask("decisions", { domain, entity, limit: 300, days: 92 }),
  ]);
  const d = whole.decision;
  const chart = h("div", { class: "chart" });
  put(element,
    h("h1", {}, outcome(d.outcome, d.alert), ` ${d.entity} `, h("span", { class: "quiet" }, asked.said ?? "")),
    h("p", {}, h("span", { class: "large" }, score(d)), " ",
      h("span", { class: "quiet" }, domain === "maintenance" ? "estimated to be left" : "probability of fraud",
        ", event of ", moment(d.time))),
    d.degraded ? h("p", { class: "notice person" }, "Decided by rules alone: the model had no score.") : null,
    h("h2", {}, "Why"),
    d.reasons.length
      ? h("ul", { class: "reasons" }, d.reasons.map((r) => h("li", {}, r.text)))
      : h("p", { class: "quiet" }, "No reasons: nothing stood out."),
    h("h2", {}, domain === "maintenance" ? "Remaining life, cycles" : `Decisions of ${entity}`),
    chart,
    h("p", { class: "quiet small" }, caption(domain, others.decisions)),
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
}

function pairs(...given) {
  return h("dl", {}, given.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function caption(domain, decisions) {
  const alerts = decisions.filter((d) => d.alert).length;
  const text = `${count(decisions.length)} decisions, ${count(alerts)} of them alerts.`;
  return domain === "fraud" ? `${text} Larger dots are alerts; scores above 0 to 1.` : text;
}

function plot(element, domain, decisions, chosen) {
  const ordered = decisions.filter((d) => d.score >= 0).sort((a, b) => a.time - b.time);
  if (ordered.length < 2) {
    put(element, h("p", { class: "quiet" }, "It is the first of its kind: there is nothing to compare it with."));
    return;
  }
  const times = ordered.map((d) => d.time);
  const scores = ordered.map((d) => d.score);
  if (domain === "maintenance") {
    curves(element, times, [{ label: "remaining life", values: scores }]);
  } else {
    strip(element, times, scores, null, ordered.map((d) => d.alert || d.id === chosen.id), "score");
  }
}

function pretty(value) {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}
