// Curves by uPlot; their colours are the page's.
/* global uPlot */

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const seconds = (time) => time / 1000;

function axes(unit) {
  const common = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
  const values = (_, ticks) => ticks.map((v) => `${v}${unit}`);
  return [{ ...common, size: 32 }, { ...common, size: 56, values }];
}

/** A line without axes, 240 x 40: the trend of the last hour. */
export function spark(element, points, value) {
  const data = [points.map((p) => seconds(p[0])), points.map(value)];
  element.replaceChildren();
  if (points.length < 2) return;
  new uPlot(
    {
      width: 240, height: 40, legend: { show: false }, cursor: { show: false },
      axes: [{ show: false }, { show: false }], scales: { y: { range: (_, __, max) => [0, max || 1] } },
      series: [{}, { stroke: colour("--curve"), width: 1.5, points: { show: false } }],
    },
    data,
    element,
  );
}

/** A small line of one sensor, with zero as its normal. */
export function small(element, times, values) {
  element.replaceChildren();
  new uPlot(
    {
      width: element.clientWidth || 220, height: 56, legend: { show: false }, cursor: { show: false },
      axes: [{ show: false }, { show: false }],
      series: [{}, { stroke: colour("--curve"), width: 1.5, points: { show: false } }],
      hooks: { drawClear: [(u) => {
        const [top, bottom] = [u.valToPos(2, "y", true), u.valToPos(-2, "y", true)];
        u.ctx.save();
        u.ctx.fillStyle = colour("--normal");
        u.ctx.fillRect(u.bbox.left, top, u.bbox.width, bottom - top);
        u.ctx.restore();
      }] },
      scales: { y: { range: (_, low, high) => [Math.min(low, -3), Math.max(high, 3)] } },
    },
    [times.map(seconds), values],
    element,
  );
}

/** Lines over time with axes. `lines`: [{label, values, quiet}]. `marks`: horizontal [{at, label}]. */
export function curves(element, times, lines, unit = "", height = 180) {
  element.replaceChildren();
  const series = lines.map((line) => ({
    label: line.label, stroke: colour(line.quiet ? "--curve-2" : "--curve"), width: 1.5,
    points: { show: times.length < 60, size: 4 },
  }));
  new uPlot(
    { width: element.clientWidth || 600, height, axes: axes(unit), series: [{}, ...series] },
    [times.map(seconds), ...lines.map((line) => line.values)],
    element,
  );
}

/** Dots over time; `usual` is [low, high], shaded; dots for which `marked` holds are drawn larger. */
export function strip(element, times, values, usual, marked, label, height = 180) {
  element.replaceChildren();
  const plain = values.map((v, i) => (marked[i] ? null : v));
  const told = values.map((v, i) => (marked[i] ? v : null));
  const dots = (name, size) => ({
    stroke: colour(name), paths: () => null, points: { show: true, size, fill: colour(name) },
  });
  const shade = (u) => {
    if (!usual) return;
    const top = u.valToPos(usual[1], "y", true), bottom = u.valToPos(usual[0], "y", true);
    u.ctx.save();
    u.ctx.fillStyle = colour("--normal");
    u.ctx.fillRect(u.bbox.left, top, u.bbox.width, bottom - top);
    u.ctx.restore();
  };
  new uPlot(
    {
      width: element.clientWidth || 600, height, axes: axes(""), hooks: { drawClear: [shade] },
      series: [{}, { label, ...dots("--curve", 5) }, { label: "alerts", ...dots("--person", 9) }],
    },
    [times.map(seconds), plain, told],
    element,
  );
}
