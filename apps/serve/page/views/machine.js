// One machine: how long it will last, which sensors say so and since when, which are broken.
import { ask, decisionsOf } from "../api.js";
import { curves, interval, small } from "../charts.js";
import { h, put } from "../dom.js";
import { count, isOddity, isProbability, many, moment, outcome, score, zoned } from "../format.js";
import { provenance } from "./alerts.js";
import { onset } from "./fleet.js";
import { recordOf, whyOf } from "./why.js";

const BAND = 2; // standard deviations of the machine's own baseline
const SENSORS = 12;

/** Fill an element with a machine as of a decision; `how`: {stop, pace, word} where a stop is planned. */
export async function machineDetail(element, asked, page, how = null) {
  const { domain, entity, time, id } = asked;
  const whole = await ask("decision", { domain, entity, time, id });
  const drifts = Object.keys(whole.features).filter((name) => name.startsWith("drift_"));
  const others = await decisionsOf({ domain, entity, limit: 300, days: 92, features: drifts.join(",") });
  const d = whole.decision;
  const past = others.decisions.filter((one) => one.record && one.time <= d.time).sort((a, b) => a.time - b.time);
  const life = h("div", { class: "chart" }), pointed = h("p", { class: "small quiet pointed" }), sensors = h("div", { class: "sensors" });
  const faults = d.reasons.filter((r) => r.code.startsWith("sensor_"));
  const isLife = !isOddity(d) && !isProbability(d) && d.outcome !== "anomaly";
  const title = isProbability(d) ? "Probability of a failure" : isLife ? "Remaining life, cycles; shaded: nine of ten cases" : "How surprising, decades";
  put(element,
    h("h1", {}, outcome(d.outcome, d.alert), " ", entity),
    h("p", { class: "figures" }, h("span", { class: "large" }, d.outcome === "sensor_fault" ? "estimate withheld" : score(d)),
      d.interval && d.outcome !== "sensor_fault" ? h("span", {}, ` (${d.interval[0].toFixed(0)} to ${d.interval[1].toFixed(0)} in nine of ten cases)`) : null, " ",
      h("span", { class: "quiet" }, "reading of ", moment(d.time))),
    how?.word?.word ? h("p", { class: `notice ${how.word.kind}` }, `${how.word.word}${how.word.needed > 0 ? `: ${count(how.word.needed)} cycles until then` : ""}`) : null,
    faults.length ? h("p", { class: "notice broken" }, h("b", {}, "Sensors, not the machine: "), faults.map((r) => zoned(r.text)).join("; ")) : null,
    whyOf(whole), h("h2", {}, title), life,
    drifts.length ? h("h2", {}, `Sensors, by how far they are from this machine's own baseline; shaded: within ${BAND} standard deviations`) : null,
    sensors, pointed, recordOf(whole, provenance(whole)));
  if (past.length < 2) {
    put(life, h("p", { class: "quiet" }, "It is the first reading: there is nothing to compare it with."));
    return;
  }
  const times = past.map((one) => one.time);
  const said = (i) => put(pointed, i === null ? `${many(past.length, "reading")}. Point at a curve to read all of them at one time.`
    : [moment(past[i].time), ` · ${score(past[i])} · `, ...ordered.slice(0, 4).map((name) => `${name.slice(6)} ${(past[i].features[name] ?? 0).toFixed(1)} σ  `)]);
  const last = (name) => Math.abs(past.at(-1).features[name] ?? 0);
  const broken = new Set(faults.flatMap((r) => drifts.filter((name) => r.text.includes(`(${name.slice(6)})`))));
  const ordered = [...drifts].sort((a, b) => broken.has(b) - broken.has(a) || last(b) - last(a)).slice(0, SENSORS);
  said(null);
  const values = past.map((one) => (one.score >= 0 ? one.score : null));
  if (isLife) {
    const marks = [];
    const first = past.find((one) => one.alert);
    if (first) marks.push({ time: first.time, name: "--person" });
    interval(life, times, values, past.map((one) => one.interval?.[0] ?? null), past.map((one) => one.interval?.[1] ?? null),
      { value: String, key: "machine", said, marks });
  } else curves(life, times, [{ values }], { key: "machine", said });
  for (const name of ordered) {
    const values_ = past.map((one) => one.features[name] ?? null);
    const since = onset(times, values_, BAND);
    const chart = h("div", { class: "chart" });
    sensors.append(h("div", {}, h("span", { class: "small" }, h("b", {}, name.slice(6)), ` ${(past.at(-1).features[name] ?? 0).toFixed(1)} σ `,
      broken.has(name) ? h("span", { class: "word broken" }, "sensor broken") : since ? h("span", { class: "quiet" }, "outside since ", moment(since)) : h("span", { class: "quiet" }, "inside")), chart));
    small(chart, times, values_, { band: BAND, onset: since, key: "machine", said, fault: broken.has(name) });
  }
}
