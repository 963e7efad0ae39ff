// Numbers, times and words as people read them.
import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit",
});

const hm = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dm = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const clockShort = (time) => hm.format(time);
export const dayShort = (time) => dm.format(time);
export const count = (n) => whole.format(n);
export const rate = (n) => `${n < 10 ? short.format(n) : whole.format(n)}/s`;
/** A duration in ms: 0.4 ms, 12 ms, 14 s. */
export const ms = (n) => (n === null || n === undefined ? "–" : n >= 10_000 ? age(n) : `${n > 0 && n < 10 ? short.format(n) : whole.format(n)} ms`);
export const at = (time) => clock.format(time);

/** How long ago, or how long it took, in one unit: 45 s, 14 min, 3 h, 2 days. */
export function age(ms) {
  const s = Math.max(ms, 0) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 129_600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86_400)} days`;
}

/** How long what waits in a stream takes at the rate of now, ms. */
export const delay = (f) => (1000 * f.waiting) / Math.max(f.outgoing, 0.1);

/** Of streams that are behind; at a rate of next to nothing a time would be of days, and says nothing. */
export const behindBy = (some) => (some.some((f) => f.outgoing < 1) ? `${whole.format(some.reduce((n, f) => n + f.waiting, 0))} records wait` : `behind by ${age(Math.max(...some.map(delay)))}`);

/** "1 payment", "3 payments". */
export const many = (n, one, more = `${one}s`) => `${whole.format(n)} ${n === 1 ? one : more}`;

/** A share, where there is one. */
export const share = (x) => (x === null || x === undefined ? "–" : `${(100 * x).toFixed(x > 0.1 || x === 0 ? 0 : 1)} %`);

/** A moment in the reader's zone; UTC at hand. The day is shown where it is not today. */
export function moment(time) {
  const date = new Date(time);
  const today = day.format(date) === day.format(Date.now());
  const text = today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
  return h("time", { datetime: date.toISOString(), title: `${date.toISOString()} (UTC)` }, text);
}

const ISO = /\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)/g;

/** What a reason says, its times in the reader's zone. */
export function zoned(text) {
  return text.replace(ISO, (iso) => {
    const time = Date.parse(iso), today = day.format(time) === day.format(Date.now());
    return Number.isNaN(time) ? iso : today ? hm.format(time) : `${day.format(time)} ${hm.format(time)}`;
  });
}

const BROKEN = new Set(["sensor_fault", "dead_lettered"]);
const WELL = new Set(["approve", "healthy"]);

/** An outcome as a word; its colour says only whether a person is needed. */
export function outcome(word, alert) {
  const kind = BROKEN.has(word) ? "broken" : alert || !WELL.has(word) ? "person" : "";
  return h("span", { class: `word ${kind}` }, word.replaceAll("_", " "));
}

const has = (decision, code) => (decision.reasons ?? []).some((reason) => reason.code === code);

/** Whether a score says how odd a machine is: there is no model of its remaining life. */
export function isOddity(decision) {
  return has(decision, "life_unknown");
}

/** Whether a machine's score is the probability that it fails. */
export function isProbability(decision) {
  return has(decision, "failure_probability");
}

/** A score in its domain's unit. */
export function score(decision) {
  if (decision.domain === "social") return `mood ${decision.score.toFixed(2)}`;
  if (decision.degraded || decision.score < 0) return "–";
  if (decision.outcome === "noted") return "–";
  if (isOddity(decision)) return `${decision.score.toFixed(1)} surprise`;
  if (isProbability(decision)) return `${(100 * decision.score).toFixed(1)} %`;
  if (decision.domain === "maintenance") return `${short.format(decision.score)} cycles`;
  return decision.score.toFixed(3);
}
