// One decision alone, whatever it is of.
import { ask, decisionsOf } from "../api.js";
import { strip } from "../charts.js";
import { h, put } from "../dom.js";
import { count, many, moment, outcome, score } from "../format.js";
import { provenance } from "./alerts.js";
import { machineDetail } from "./machine.js";
import { paymentDetail } from "./payment.js";
import { recordOf, whyOf } from "./why.js";

const DETAILS = { fraud: paymentDetail, maintenance: machineDetail };

export function decisionView(domain, entity, time, id) {
  return async (root, page) => {
    root.classList.add("reading");
    const body = h("div");
    put(root, h("p", { class: "small" }, h("a", { href: page.last ?? "#now" }, "‹ back")), body);
    await (DETAILS[domain] ?? anyDetail)(body, { domain, entity, time: Number(time), id }, page);
    return { keys: (pressed) => pressed === "Escape" && ((location.hash = page.last ?? "#now"), true) };
  };
}

/** A decision of a domain that has no view of its own. */
export async function anyDetail(element, asked) {
  const { domain, entity, time, id } = asked;
  const whole = await ask("decision", { domain, entity, time, id });
  const others = await decisionsOf({ domain, entity, limit: 300, days: 92 });
  const d = whole.decision;
  const past = others.decisions.filter((one) => one.score >= 0 || domain === "social").sort((a, b) => a.time - b.time);
  const chart = h("div", { class: "chart" });
  put(element, h("h1", {}, outcome(d.outcome, d.alert), " ", entity),
    h("p", { class: "figures" }, h("span", { class: "large" }, score(d)), " ", h("span", { class: "quiet" }, "event of ", moment(d.time))),
    whyOf(whole), h("h2", {}, `Scores of ${entity}`), chart,
    h("p", { class: "small quiet" }, `${many(past.length, "decision")}. Large: alerts.`), recordOf(whole, provenance(whole)));
  if (past.length > 1) strip(chart, past.map((p) => p.time), past.map((p) => p.score), { usual: null, marked: past.map((p) => p.alert || p.id === d.id), value: count, range: (_, a, b) => [a, b] });
}
