// Why a decision was made: sentences, the weightiest first, each with what is normal drawn.
import { ask } from "../api.js";
import { zoned } from "../format.js";
import { h, put, svg } from "../dom.js";

const UNITS = { "log-odds": "", cycles: " cycles", decades: "", weight: "" };
const SCORED = new Set(["fraud", "maintenance"]); // can be scored again for what would have cleared it
const BY = { model: "the model", rules: "the rules", surprise: "how unusual it is" };

/** Where a value stands beside its normal range. */
function range(part) {
  if (!part.normal || part.value === undefined || part.value === null) return null;
  const [low, high] = part.normal;
  const room = Math.max(high - low, Math.abs(high) * 0.1, 1e-9);
  const from = Math.min(low, part.value) - room * 0.2, to = Math.max(high, part.value) + room * 0.2;
  const x = (v) => (((v - from) / (to - from)) * 120).toFixed(1);
  return svg("svg", { class: "range", width: 120, height: 12, role: "img", "aria-label": `usual ${low} to ${high}` },
    svg("rect", { class: "normal", x: x(low), y: 1, width: Math.max(x(high) - x(low), 1), height: 10 }),
    svg("line", { x1: 0, x2: 120, y1: 6, y2: 6 }),
    svg("circle", { class: part.value < low || part.value > high ? "out" : "", cx: x(part.value), cy: 6, r: 4 }));
}

/** Of a decision whole: its reasons as people read them, and what would have changed it. */
export function whyOf(whole) {
  const d = whole.decision;
  const told = (d.explanations ?? []).filter((e) => e.by !== "rules" && e.parts?.length);
  // What the parts say one by one, a reason of the model says in one sentence: it stands below them.
  const [single, rest] = [[], []];
  for (const r of d.reasons) (told.length && r.code === "model" ? single : rest).push(r);
  return [
    h("h2", {}, "Why"),
    d.reasons.length || told.length ? null : h("p", { class: "quiet" }, "No reasons: nothing stood out."),
    rest.length ? h("ul", { class: "reasons" }, rest.map((r) => h("li", {}, zoned(r.text)))) : null,
    told.map((e) => [
      h("table", { class: "parts" }, h("tbody", {}, e.parts.slice(0, 8).map((p) => h("tr", {},
        h("td", { class: "number", title: `what it adds to ${BY[e.by] ?? e.by}, ${e.unit}` }, `${p.amount > 0 ? "+" : ""}${p.amount.toFixed(2)}${UNITS[e.unit] ?? ""}`),
        h("td", {}, p.text || p.of), h("td", { class: "wide" }, range(p)))))),
    ]),
    single.map((r) => h("p", { class: "small quiet" }, zoned(r.text))),
    d.alert && d.record && SCORED.has(d.domain) ? clearedOf(d) : null,
  ];
}

/** What would have cleared an alert: it is scored again for that, so it comes after the rest. */
function clearedOf(d) {
  const found = h("div", { "aria-live": "polite" }, h("p", { class: "small quiet" }, "Looking for what would have cleared it …"));
  ask("cleared", { domain: d.domain, entity: d.entity, time: d.time, id: d.id }).then(
    (told) => put(found, told.flips.length ? told.flips.slice(0, 3).map((f) => h("p", { class: "notice" }, f.text.startsWith("had ") ? `Cleared, ${f.text}` : f.text))
      : told.why_none ? h("p", { class: "small quiet" }, told.why_none) : null),
    (error) => put(found, h("p", { class: "small quiet" }, `What would have cleared it is not known: ${error.message}`)));
  return found;
}

/** The record, where it comes from, and its features, folded. */
export function recordOf(whole, pairs) {
  return [
    h("details", {}, h("summary", {}, "The record"),
      whole.value === null ? h("p", { class: "quiet" }, "Kafka has this record no more; the decision stays.")
        : h("pre", { class: "code" }, pretty(whole.value))),
    h("details", {}, h("summary", {}, "Where it comes from"), pairs),
    h("details", {}, h("summary", {}, `${Object.keys(whole.features).length} features`),
      h("table", {}, h("tbody", {}, Object.entries(whole.features).map(([name, value]) =>
        h("tr", {}, h("td", {}, name), h("td", { class: "number" }, String(value))))))),
  ];
}

function pretty(value) {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

/** A record's JSON as an object; {} where it is none. */
export function parsed(value) {
  try {
    const told = JSON.parse(value);
    return told && typeof told === "object" ? told : {};
  } catch {
    return {};
  }
}
