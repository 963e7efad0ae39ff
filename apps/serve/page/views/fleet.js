// What is known of machines, reckoned against a planned stop. Pure.

import { age } from "../format.js";

/** ms that an operating cycle takes; null where it is not known. */
export const pace = (machine, usual) => machine.pace ?? usual ?? null;

/** Cycles without a reading after which a machine counts as gone. */
const GONE = 24;

/** How a machine stands against a stop at `stop` (ms): what, and how bad (larger is worse).
 * `newest`: the newest reading of all, by which silence is told. */
export function against(machine, stop, usual, newest) {
  const d = machine.decision;
  if (usual && newest - d.time > GONE * usual) return { word: `no reading for ${age(newest - d.time)}`, rank: -1, kind: "" };
  if (d.outcome === "sensor_fault") return { word: "a sensor is broken: the estimate is withheld", rank: 2, kind: "broken" };
  if (d.outcome === "no_data") return { word: "it is silent", rank: 3, kind: "broken" };
  if (d.outcome === "anomaly" || d.outcome === "unknown_regime") return { word: d.outcome === "anomaly" ? "it runs unlike itself" : "in conditions that are unknown", rank: 4, kind: "person" };
  const each = pace(machine, usual);
  if (!machine.is_life || d.score < 0 || !each || !stop) return { word: "", rank: d.alert ? 4 : 0, kind: d.alert ? "person" : "" };
  const needed = (stop - d.time) / each;
  const low = d.interval ? d.interval[0] : d.score;
  if (needed <= 0) return { word: "the stop is past", rank: 1, kind: "", needed };
  if (d.score < needed) return { word: "will not reach the stop", rank: 6, kind: "broken", needed };
  if (low < needed) return { word: "may not reach the stop", rank: 5, kind: "person", needed };
  return { word: "reaches the stop", rank: 1, kind: "", needed };
}

/** When its life ends by the estimate and by its lower bound, ms; null where it is not known. */
export function ends(machine, usual) {
  const each = pace(machine, usual);
  const d = machine.decision;
  if (!machine.is_life || d.score < 0 || !each || d.outcome === "sensor_fault") return null;
  return { likely: d.time + d.score * each, early: d.time + (d.interval ? d.interval[0] : d.score) * each };
}

/** Since when a value has been outside of `band`, for good: a time, or null. Two points are chance. */
export function onset(times, values, band) {
  let first = values.length;
  while (first > 0 && values[first - 1] !== null && Math.abs(values[first - 1]) > band) first--;
  return values.length - first >= 3 ? times[first] : null;
}

/** Where nobody said when the next stop is: Saturday at 06:00 of the reader's clock; the next 06:00
 * where machines do so many cycles a day that Saturday says nothing. */
export function likelyStop(time, usual) {
  const at = new Date(time + 12 * 3_600_000);
  at.setHours(6, 0, 0, 0);
  if (at.getTime() < time + 6 * 3_600_000) at.setDate(at.getDate() + 1);
  const morning = at.getTime();
  while (at.getDay() !== 6) at.setDate(at.getDate() + 1);
  return usual && at.getTime() - time > 60 * usual ? morning : at.getTime();
}
