// What labels say of scores: precision and recall, alerts a day, calibration. Points tell their numbers.
import { h, svg } from "../dom.js";
import { count, many, moment, share } from "../format.js";

const W = 300, H = 190, LEFT = 40, BOTTOM = 30, TOP = 8, RIGHT = 8;
const x = (v) => LEFT + v * (W - LEFT - RIGHT);
const y = (v) => H - BOTTOM - v * (H - BOTTOM - TOP);

export function curves(told) {
  if (!told.thresholds.length) return h("p", { class: "notice" }, "No fraud among the newest decisions is labelled yet. Say what you know: ", h("code", {}, "./stormwatch label"), ", or f and c in the queue.");
  const t = told.thresholds, most = Math.max(...t.map((p) => p[3]), 1e-9);
  const said = (p) => `from ${p[0].toFixed(3)} on: precision ${share(p[1])}, recall ${share(p[2])}, ${count(p[3])} alerts a day`;
  return [h("p", { class: "small quiet" }, `${many(told.judged, "payment")} of `, moment(told.since), " to ", moment(told.until), `, ${many(told.positive, "labelled fraud")}. What has no label counts as none, once labels of later payments have come.`),
    h("div", { class: "planes" },
      plane("Precision and recall", "share of frauds found", "share of alerts that are right", 1, t.map((p) => [p[2], p[1], said(p)])),
      plane("Backtest of each threshold", "score from which there is an alert", "alerts a day", most, [...t].reverse().map((p) => [p[0], p[3] / most, said(p)])),
      plane("Calibration", "score", "share that were frauds", 1, told.bins.map((b) => [b[1], b[2], `scores about ${b[1].toFixed(2)}: ${share(b[2])} of ${many(b[0], "payment")} were frauds`]), true))];
}

// A curve over 0 to 1; `even` draws where both would be the same.
function plane(title, across, up, top, points, even = false) {
  const ticks = [0, 0.5, 1], number = (v) => (top === 1 ? v.toFixed(1) : count(v * top));
  return h("figure", { class: "plane" }, h("figcaption", {}, title),
    svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}: ${points.map((p) => p[2]).filter((_, i) => i % 12 === 0).join("; ")}` },
      ticks.map((v) => [svg("line", { class: "grid", x1: x(0), x2: x(1), y1: y(v), y2: y(v) }),
        svg("text", { x: LEFT - 5, y: y(v) + 4, "text-anchor": "end" }, number(v)), svg("text", { x: x(v), y: H - BOTTOM + 14, "text-anchor": "middle" }, v.toFixed(1))]),
      even ? svg("line", { class: "even", x1: x(0), x2: x(1), y1: y(0), y2: y(1) }) : null,
      svg("polyline", { points: points.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ") }),
      points.map((p) => svg("circle", { cx: x(p[0]).toFixed(1), cy: y(p[1]).toFixed(1), r: 3 }, svg("title", {}, p[2]))),
      svg("text", { x: x(0.5), y: H - 2, "text-anchor": "middle" }, across)),
    h("p", { class: "small quiet" }, `upwards: ${up}`));
}
