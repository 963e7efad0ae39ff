// One payment beside its customer's: what is normal is drawn, so that what is not needs no words.
import { ask, decisionsOf } from "../api.js";
import { strip } from "../charts.js";
import { h, put, svg } from "../dom.js";
import { clockShort, count, dayShort, many, moment, outcome, score } from "../format.js";
import { place, provenance } from "./alerts.js";
import { parsed, recordOf, whyOf } from "./why.js";

const ENOUGH = 5; // payments that make a range
const PLACES = 12; // records that are looked at for the map

/** Fill an element with a payment; `one`: its case, where it has one. */
export async function paymentDetail(element, asked, page, one = null) {
  const { domain, entity, time, id } = asked;
  const whole = await ask("decision", { domain, entity, time, id });
  const others = await decisionsOf({ domain, entity, limit: 300, days: 92, features: "amount" });
  const d = whole.decision;
  const record = parsed(whole.value);
  const payments = others.decisions.filter((p) => p.features.amount !== undefined).sort((a, b) => a.time - b.time);
  const mine = new Set((one?.alerts ?? [d]).map((a) => a.id));
  const before = payments.filter((p) => !p.alert && !mine.has(p.id) && p.time <= d.time);
  const usual = quantiles(before.map((p) => p.features.amount / 100));
  const amounts = h("div", { class: "chart" }), hours = h("div", { class: "chart" }), pointed = h("p", { class: "small quiet pointed" });
  const map = h("div", { class: "map" });
  put(element,
    h("h1", {}, outcome(d.outcome, d.alert), " ", entity),
    h("p", { class: "figures" }, h("span", { class: "large" }, money(record, d, whole)), " ",
      record.merchant ? h("span", {}, String(record.merchant), record.country ? `, ${record.country}` : "", " ") : null,
      h("span", { class: "quiet" }, moment(d.time), ` · ${d.degraded ? "decided by rules alone: the model had no score" : `fraud probability ${score(d)}`}`)),
    usual ? h("p", { class: "small" }, `Usual for this customer: ${usual.map((v) => v.toFixed(0)).join(" to ")}, ${many(before.length, "payment")} in ${many(Math.max(1, Math.round((d.time - before[0].time) / 86_400_000)), "day")}.`)
      : h("p", { class: "small quiet" }, `${many(before.length, "payment")} before this one: too few to say what is usual.`),
    whyOf(whole),
    h("h2", {}, "Amounts"), amounts, h("h2", {}, "Hour of the day, where you are"), hours, pointed,
    map,
    one && one.alerts.length > 1 ? caseTable(one) : null,
    recordOf(whole, provenance(whole)));
  if (payments.length < 2) {
    put(amounts, h("p", { class: "quiet" }, "It is the first payment of this customer: there is nothing to compare it with."));
    put(hours);
  } else plot(amounts, hours, pointed, payments, usual, (p) => p.alert || mine.has(p.id));
  places(map, d, record, payments).catch(() => put(map));
}

function plot(amounts, hours, pointed, payments, usual, marked) {
  const times = payments.map((p) => p.time), marks = payments.map(marked);
  const said = (i) => {
    const p = i === null ? null : payments[i];
    put(pointed, p ? [moment(p.time), ` · ${(p.features.amount / 100).toFixed(2)} · `, p.outcome, ` · ${score(p)}`] : `${count(payments.length)} payments. Large: alerts. Shaded: what was usual before (the middle 90 %).`);
  };
  said(null);
  const values = times.map((_, i) => payments[i].features.amount / 100);
  const skewed = Math.max(...values) > 40 * (usual?.[1] ?? Math.max(...values));
  strip(amounts, times, values, { usual, marked: marks, value: (v) => (v === null ? "" : count(v)), key: "payments", said, log: skewed && Math.min(...values) > 0 });
  const hour = (t) => { const at = new Date(t); return at.getHours() + at.getMinutes() / 60; };
  const own = payments.filter((p, i) => !marks[i]).map((p) => hour(p.time));
  strip(hours, times, times.map(hour), {
    usual: quantiles(own), marked: marks, value: (v) => `${v} h`, key: "payments", said, height: 96, range: () => [0, 24],
  });
}

function quantiles(values) {
  if (values.length < ENOUGH) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const part = (share) => sorted[Math.round(share * (sorted.length - 1))];
  return [part(0.05), part(0.95)];
}

function money(record, d, whole) {
  if (d.said) return d.said.split(" at ")[0];
  if (typeof record.amount === "number" && typeof record.currency === "string") return `${(record.amount / 100).toFixed(2)} ${record.currency}`;
  return whole.features.amount === undefined ? score(d) : (whole.features.amount / 100).toFixed(2);
}

function caseTable(one) {
  return [h("h2", {}, `All ${one.alerts.length} payments of this case: an action is of all of them`),
    h("table", {}, h("tbody", {}, one.alerts.map((a) => h("tr", {}, h("td", {}, moment(a.time)), h("td", {}, outcome(a.outcome, true)),
      h("td", { class: "number" }, score(a)), h("td", {}, h("a", { href: place(a) }, a.said || a.id)), h("td", { class: "quiet" }, a.work?.label ?? "")))))];
}

const coordinates = (r) => (typeof r.latitude === "number" && typeof r.longitude === "number" ? [r.latitude, r.longitude] : null);

// Where the newest payments were made, if their records say so: degrees, no map of a third party.
async function places(element, d, record, payments) {
  const here = coordinates(record);
  if (!here) return;
  const found = [{ at: here, time: d.time, now: true }];
  for (const p of payments.filter((one) => one.id !== d.id).slice(-PLACES)) {
    const whole = await ask("decision", { domain: p.domain, entity: p.entity, time: p.time, id: p.id });
    const at = coordinates(parsed(whole.value));
    if (at) found.push({ at, time: p.time, now: false });
    if (!element.isConnected) return;
  }
  const home = typeof record.customer_latitude === "number" ? [record.customer_latitude, record.customer_longitude] : null;
  const all = [...found.map((f) => f.at), ...(home ? [home] : [])];
  const middle = (Math.max(...all.map((a) => a[0])) + Math.min(...all.map((a) => a[0]))) / 2;
  const squeeze = Math.max(Math.cos((middle * Math.PI) / 180), 0.1); // a degree of longitude is shorter
  const flat = ([lat, long]) => [long * squeeze, -lat];
  const xs = all.map((a) => flat(a)[0]), ys = all.map((a) => flat(a)[1]);
  const span = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 0.02) * 1.2;
  const [cx, cy] = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2];
  const [W, H] = [480, 200];
  const scale = Math.min(W, H) / span;
  const put2 = (a) => { const [x, y] = flat(a); return [W / 2 + (x - cx) * scale, H / 2 + (y - cy) * scale]; };
  const path = [...found].sort((a, b) => a.time - b.time).map((f) => put2(f.at).map((v) => v.toFixed(1)).join(",")).join(" ");
  const km = niceKm((111.2 * 80) / scale);
  put(element, h("h2", {}, "Where"),
    svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Where the newest ${found.length} payments were made` },
      svg("polyline", { points: path }),
      home ? (([x, y]) => svg("rect", { class: "home", x: x - 5, y: y - 5, width: 10, height: 10 }, svg("title", {}, "home")))(put2(home)) : null,
      found.map((f) => { const [x, y] = put2(f.at); return svg("circle", { class: f.now ? "now" : "", cx: x, cy: y, r: f.now ? 6 : 4 }, svg("title", {}, `${dayShort(f.time)} ${clockShort(f.time)}`)); }),
      svg("line", { class: "scale", x1: 8, y1: H - 8, x2: 8 + (km / 111.2) * scale, y2: H - 8 }),
      svg("text", { x: 8, y: H - 14 }, `${km} km`)),
    h("p", { class: "small quiet" }, `The newest ${many(found.length, "payment")} of those that say where; large: this one${home ? "; square: home" : ""}. North is up.`));
}

function niceKm(about) {
  const power = 10 ** Math.floor(Math.log10(about));
  return [1, 2, 5].map((m) => m * power).findLast((v) => v <= about) ?? power;
}
