// Alerts as rows: what, when, whom, why.
import { h } from "../dom.js";
import { count, moment, outcome, score, zoned } from "../format.js";

/** Where an alert is looked at. */
export function place(alert) {
  const parts = [alert.domain, alert.entity, alert.time, alert.id].map(encodeURIComponent);
  return `#decision/${parts.join("/")}`;
}

/** Why, most weighty first. */
export const why = (alert) => alert.reasons.map((r) => zoned(r.text)).join(" · ");

/** A table of alerts, newest first. */
export function alertTable(alerts, page) {
  if (!alerts.length) {
    return h("p", { class: "notice" }, "No alert yet. What is decided as ",
      [...(page.alerting ?? [])].join(", ").replaceAll("_", " ") || "an alert", " appears here.");
  }
  return h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, "when"), h("th", {}, "outcome"),
      h("th", { class: "number" }, "score"), h("th", {}, "what"), h("th", { class: "wide" }, "why"))),
    h("tbody", {}, alerts.map((alert) => h("tr", {
      class: "row", onclick: () => { location.hash = place(alert); },
    },
    h("td", {}, moment(alert.timestamp)), h("td", {}, outcome(alert.outcome, true)),
    h("td", { class: "number" }, score(alert)),
    h("td", { class: "what" }, h("a", { href: place(alert) }, alert.entity), alert.said ? ` ${alert.said}` : ""),
    h("td", { class: "wide" }, h("span", { class: "clamp", title: why(alert) }, why(alert)))))));
}

/** Names and values, one below the other. */
export function pairs(...given) {
  return h("dl", {}, given.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** The versions that decided, and what the ledger has of the record. */
export function provenance(whole) {
  return pairs(
    ["record", h("code", {}, whole.decision.record)], ["model", whole.model], ["rules", whole.rules],
    ["features", whole.feature_set],
    ["ledger", whole.ledger.length
      ? whole.ledger.map((w) => h("div", {}, `${w.state} by ${w.part}, batch ${count(w.first)} to ${count(w.last)}, ${count(w.age)} ms after its oldest record`))
      : "not written yet"],
  );
}
