// Curves by uPlot; their colours are the page's. Charts with the same `key` share their cursor.
/* global uPlot */
import { svg } from "./dom.js";
import { clockShort, dayShort } from "./format.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const seconds = (time) => time / 1000;
const DAY = 86_400;
const live = new Set();
const grown = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const width = Math.floor(target.clientWidth);
    if (target.chart && width && width !== target.chart.width) target.chart.setSize({ width, height: target.chart.height });
  }
});

/** Let go of charts that are shown no more. */
export function release() {
  for (const chart of live) {
    if (chart.root.isConnected) continue;
    chart.destroy();
    live.delete(chart);
  }
}

function made(element, options, data) {
  element.replaceChildren();
  const chart = new uPlot({ legend: { show: false }, width: element.clientWidth || 600, ...options }, data, element);
  chart.root.setAttribute("aria-hidden", "true");
  element.chart = chart;
  live.add(chart);
  grown.observe(element);
  return chart;
}

const moments = (_, splits, __, ___, step) => splits.map((s) => {
  const time = s * 1000;
  return step >= DAY || new Date(time).getHours() + new Date(time).getMinutes() === 0 ? dayShort(time) : clockShort(time);
});

function axes(value, shown = true) {
  const common = { stroke: colour("--quiet"), font: "11px system-ui", ticks: { show: false } };
  return [
    { ...common, size: 24, values: moments, grid: { show: false }, show: shown },
    { ...common, size: 56, grid: { stroke: colour("--line"), width: 1 }, values: (_, ticks) => ticks.map(value) },
  ];
}

function cursor(key, said, times) {
  return {
    y: false, points: { show: false }, sync: key ? { key } : undefined,
    ...(said ? { dataIdx: (u, i, closest) => { said(times[closest] === undefined ? null : closest); return closest; } } : {}),
  };
}

function shadeBand(u, low, high) {
  const top = u.valToPos(high, "y", true), bottom = u.valToPos(low, "y", true);
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  u.ctx.clip();
  u.ctx.fillStyle = colour("--normal");
  u.ctx.fillRect(u.bbox.left, top, u.bbox.width, bottom - top);
  u.ctx.restore();
}

function shadeFrom(u, time, until) {
  const left = Math.max(u.valToPos(seconds(time), "x", true), u.bbox.left);
  const right = until ? u.valToPos(seconds(until), "x", true) : u.bbox.left + u.bbox.width;
  u.ctx.save();
  u.ctx.fillStyle = colour("--person-shade");
  u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
  u.ctx.restore();
}

function vertical(u, time, name) {
  const x = Math.round(u.valToPos(seconds(time), "x", true));
  if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) return;
  u.ctx.save();
  u.ctx.strokeStyle = colour(name);
  u.ctx.setLineDash([3, 3]);
  u.ctx.beginPath();
  u.ctx.moveTo(x, u.bbox.top);
  u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
  u.ctx.stroke();
  u.ctx.restore();
}

/** A trend without axes, as SVG: cheap, since it is drawn anew every few seconds. */
export function spark(element, points, value, width = 200, height = 28) {
  if (points.length < 2) return element.replaceChildren();
  const [from, to] = [points[0][0], points.at(-1)[0]];
  const top = Math.max(...points.map(value), 1e-9);
  const at = (p) => `${(((p[0] - from) / (to - from)) * width).toFixed(1)},${(height - 1 - (value(p) / top) * (height - 2)).toFixed(1)}`;
  element.replaceChildren(svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
    svg("polyline", { points: points.map(at).join(" ") })));
}

/** Dots over time. `usual`: [low, high] or null, shaded; `marked`: larger; `span`: [from, to] shaded. */
export function strip(element, times, values, { usual, marked, value, key, said, height = 150, range, span, log }) {
  const dots = (name, size) => ({
    stroke: colour(name), paths: () => null, points: { show: true, size, fill: colour(name), width: 0 },
  });
  made(element, {
    height, axes: axes(value), cursor: cursor(key, said, times),
    scales: { x: { range: (_, a, b) => padded(a, b) }, y: log ? { distr: 3 } : { range: range ?? ((_, low, high) => [0, Math.max(high, usual?.[1] ?? 0) * 1.08]) } },
    hooks: { drawClear: [(u) => {
      if (span) shadeFrom(u, ...span);
      if (usual) shadeBand(u, ...usual);
    }] },
    series: [{}, dots("--curve", 5), dots("--person", 9)],
  }, [times.map(seconds), values.map((v, i) => (marked[i] ? null : v)), values.map((v, i) => (marked[i] ? v : null))]);
}

const padded = (a, b) => (a === b ? [a - DAY / 2, b + DAY / 2] : [a - (b - a) * 0.02, b + (b - a) * 0.02]);

/** A small line of one sensor around zero, its normal; `band`: half its width; `onset`: where it left it. */
export function small(element, times, values, { band, onset, key, said, fault }) {
  const far = Math.max(band * 1.6, ...values.filter((v) => v !== null).map(Math.abs));
  made(element, {
    height: 64, cursor: cursor(key, said, times), axes: [{ show: false }, { show: false }],
    scales: { y: { range: () => [-far * 1.05, far * 1.05] } },
    series: [{}, { stroke: colour(fault ? "--broken" : "--curve"), width: 1.5, points: { show: false } }],
    hooks: { drawClear: [(u) => shadeBand(u, -band, band)], draw: [(u) => onset && vertical(u, onset, "--person")] },
  }, [times.map(seconds), values]);
}

/** A value over time inside its interval. `marks`: [{time, name}] drawn upright. */
export function interval(element, times, values, lows, highs, { value, key, said, height = 170, marks = [], limit }) {
  made(element, {
    height, axes: axes(value), cursor: cursor(key, said, times),
    scales: { y: { range: (_, low, high) => [Math.min(0, low), high * 1.05 || 1] } },
    series: [{}, { stroke: colour("--curve"), width: 1.5, points: { show: times.length < 40, size: 4 } },
      { stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } }],
    bands: [{ series: [3, 2], fill: colour("--normal") }],
    hooks: { draw: [(u) => {
      for (const mark of marks) vertical(u, mark.time, mark.name);
      if (limit) {
        const y = u.valToPos(limit, "y", true);
        u.ctx.save();
        u.ctx.strokeStyle = colour("--person");
        u.ctx.setLineDash([3, 3]);
        u.ctx.strokeRect(u.bbox.left, y, u.bbox.width, 0);
        u.ctx.restore();
      }
    }] },
  }, [times.map(seconds), values, lows, highs]);
}

/** Lines over time with axes; the first is the one that matters. */
export function curves(element, times, lines, { value = String, key, said, height = 150 } = {}) {
  made(element, {
    height, axes: axes(value), cursor: cursor(key, said, times),
    series: [{}, ...lines.map((line) => ({
      stroke: colour(line.quiet ? "--curve-2" : "--curve"), width: 1.5, points: { show: times.length < 60, size: 4 },
    }))],
  }, [times.map(seconds), ...lines.map((line) => line.values)]);
}
