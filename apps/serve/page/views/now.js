// Now: is all well, what comes in, how fast is it decided, what is alarming.
import { ask } from "../api.js";
import { spark } from "../charts.js";
import { h, put, svg } from "../dom.js";
import { count, ms, rate } from "../format.js";
import { alertTable } from "./alerts.js";

const VIEW = { fraud: "fraud", maintenance: "machines", social: "posts", recommend: "recommendations" };
const WORDS = { fraud: "payments", maintenance: "readings", social: "posts", recommend: "behaviour" };

export async function now(root, page) {
  const streams = h("div", { class: "streams" });
  const alarms = h("div");
  const wiring = h("div", { class: "wiring" });
  const newest = h("div");
  const quality = h("div");
  put(
    root,
    h("h1", {}, "Now"), tip(),
    h("section", {}, streams, alarms),
    h("section", {}, h("h2", {}, "Newest alerts"), newest),
    h("section", {}, h("h2", {}, "How records flow"), wiring),
    h("section", {}, h("h2", {}, "Data quality"), quality),
  );
  const [history, topologies] = await Promise.all([ask("history"), ask("topologies")]);
  const points = history.points;
  const rows = new Map();

  function figures(rates) {
    const shown = rates.figures.filter((f) => f.running || f.decided);
    if (!shown.length) {
      put(streams, h("p", { class: "notice" },
        "No topology runs. Start both with ", h("code", {}, "./stormwatch run"),
        ", or submit one with ", h("code", {}, "sparse submit"), "."));
      put(wiring);
      rows.clear();
      return;
    }
    if (!rows.size) put(streams);
    for (const f of shown) {
      if (!rows.has(f.domain)) {
        rows.set(f.domain, row(f.domain));
        streams.append(rows.get(f.domain).element);
      }
      const told = (points[f.domain] ??= []);
      if (!told.length || rates.at - told.at(-1)[0] >= 5000) {
        told.push([rates.at, f.incoming, f.outgoing, f.latency.p50, f.latency.p99, f.waiting]);
        if (told.length > 720) told.shift();
        spark(rows.get(f.domain).chart, told, (p) => p[2], 240, 40);
      }
      rows.get(f.domain).fill(f);
    }
    put(alarms, shown.flatMap((f) => Object.values(f.alarms ?? {}).map((text) => h("p", { class: "notice person" }, h("a", { href: `#rules/${f.domain}` }, f.domain), `: ${text}`))));
    put(wiring, shown.map((f) => drawing(topologies.find((t) => t.domain === f.domain), f)));
    put(quality, badly(shown, page.parts.ledgers?.ledgers ?? []));
  }

  function row(domain) {
    const cells = [0, 1, 2, 3].map(() => h("div"));
    const chart = h("div", { class: "chart", title: "Decided, last hour" });
    spark(chart, points[domain] ?? [], (p) => p[2], 240, 40);
    const fill = (f) => {
      const figure = (cell, to, number, said) => put(cell, h("a", { class: "figure", href: to }, h("span", { class: "large" }, number), h("span", { class: "quiet" }, said)));
      figure(cells[0], `#quality/${domain}`, rate(f.incoming), `${WORDS[domain] ?? domain} in`);
      figure(cells[1], "#operations", ms(f.latency.p50), `to a decision (p99 ${ms(f.latency.p99)})`);
      figure(cells[2], "#operations", count(f.waiting), "waiting");
      figure(cells[3], `#${VIEW[domain] ?? "now"}`, count(f.alerts), `alerts of ${count(f.decided)} decided`);
    };
    const element = h("div", { class: "stream" },
      h("a", { class: "name", href: `#${VIEW[domain] ?? "now"}` }, domain), cells, chart);
    return { element, chart, fill };
  }

  return {
    part(name, state) {
      if (name === "rates") figures(state);
      if (name === "alerts") put(newest, alertTable(chosen(state.alerts), page));
    },
  };
}

// For who sees this for the first time; gone for good once it was closed.
function tip() {
  try {
    if (localStorage.getItem("toured")) return null;
  } catch {
    return null; // nothing may be kept here: then nothing is said again and again
  }
  const box = h("p", { class: "notice tip" }, h("span", {}, "First time here? Each row below is a stream and how fast it is decided; below it what alarms. ",
    h("a", { href: "#try" }, "Try to break it"), ": send a payment of your own, a broken one, kill a bolt. ", h("kbd", {}, "?"), " lists the keys."),
  h("button", { onclick: () => { localStorage.setItem("toured", "1"); box.remove(); } }, "Close"));
  return box;
}

// Fraud first; of a customer or machine only its newest alert.
function chosen(alerts) {
  const one = alerts.filter((a, i) => alerts.findIndex((b) => b.entity === a.entity) === i);
  const of = (domain) => one.filter((a) => (domain ? a.domain === domain : a.domain !== "fraud"));
  return [...of("fraud").slice(0, 5), ...of("").slice(0, 5)];
}

function badly(figures, ledgers) {
  return h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, "domain"), h("th", {}, "rejected"),
      h("th", { class: "number" }, "late"), h("th", { class: "number" }, "duplicate"),
      h("th", { class: "number" }, "decided by rules alone"),
      h("th", { class: "number" }, "offsets without an end state"))),
    h("tbody", {}, figures.map((f) => {
      const codes = Object.entries(f.rejected).sort((a, b) => b[1] - a[1]).slice(0, 3);
      const own = ledgers.filter((l) => l.domain === f.domain);
      const lost = own.reduce((sum, l) => sum + l.unaccounted, 0);
      return h("tr", {}, h("td", {}, h("a", { href: `#quality/${f.domain}` }, f.domain)),
        h("td", {}, codes.length ? codes.map(([c, n]) => `${c} ${count(n)}`).join(", ") : "none"),
        h("td", { class: "number" }, count(f.ends.late ?? 0)),
        h("td", { class: "number" }, count(f.ends.duplicate ?? 0)),
        h("td", { class: "number" }, count(f.degraded)),
        h("td", { class: `number ${lost ? "word broken" : ""}` }, own.length ? count(lost) : "–"));
    })));
}

// A box a component, a column a step; the rate on each edge is what the topology decides.
function drawing(topology, figures) {
  if (!topology) return null;
  const depth = new Map();
  for (const c of topology.components) {
    const from = Object.keys(c.inputs).map((i) => depth.get(i.split(":")[0]) ?? 0);
    depth.set(c.name, from.length ? Math.max(...from) + 1 : 0);
  }
  const columns = [];
  for (const c of topology.components) (columns[depth.get(c.name)] ??= []).push(c);
  const place = new Map();
  columns.forEach((column, x) => column.forEach((c, y) => place.set(c.name, [x * 280 + 4, y * 60 + 6])));
  const height = Math.max(...columns.map((c) => c.length)) * 60;
  const edges = topology.components.flatMap((c) => Object.entries(c.inputs).map(([input, grouping]) => {
    const [from, stream] = input.split(":");
    const [x1, y1] = place.get(from), [x2, y2] = place.get(c.name);
    const middle = (x1 + 120 + x2) / 2;
    const text = stream ?? `${grouping} ${rate(figures.outgoing)}`;
    return [
      svg("path", { d: `M${x1 + 120},${y1 + 18} C${middle},${y1 + 18} ${middle},${y2 + 18} ${x2},${y2 + 18}` }),
      y1 === y2 ? svg("text", { class: "quiet", x: middle, y: y1 + 12 }, text) : null,
    ];
  }));
  const boxes = topology.components.map((c) => {
    const [x, y] = place.get(c.name);
    return [
      svg("rect", { x, y, width: 120, height: 36, rx: c.kind === "spout" ? 18 : 2 }),
      svg("text", { x: x + 60, y: y + 16 }, c.name),
      svg("text", { class: "quiet", x: x + 60, y: y + 30 }, `${c.kind} × ${c.tasks}`),
    ];
  });
  const width = columns.length * 280 - 152;
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `The topology ${topology.domain}` }, edges, boxes);
}
