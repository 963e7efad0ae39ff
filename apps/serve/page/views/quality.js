// Data quality: what was not decided, and why; the ledger that says nothing is lost.
import { ask } from "../api.js";
import { h, put, svg } from "../dom.js";
import { count, many, moment } from "../format.js";

const EVERY_MS = 5_000;
const SHOWN = 200;

export function quality(domain, code) {
  return async (root, page) => {
    root.classList.add("reading");
    const domains = page.streams.map((s) => s.domain);
    const shown = domains.includes(domain) ? domain : domains[0];
    let told = await ask("set-aside", { domain: shown, limit: SHOWN }), gone = false;
    const proof = h("div"), aside = h("div"), codes = h("div"), head = h("p", { class: "figures" });
    put(root, h("h1", {}, "Data quality"), head,
      h("p", { class: "tools" }, domains.map((d) => h("a", { href: `#quality/${d}`, class: "tab", "aria-current": d === shown ? "true" : null }, d))),
      h("h2", {}, "Not decided, since the bolts started"), codes,
      h("h2", {}, "Ledger: each offset of a topic has exactly one end state"), proof,
      h("h2", {}, code ? `Set aside as ${code}` : "Set aside, newest first"), aside);

    function draw() {
      const found = told.records.filter((r) => !code || r.code === code || r.state === code);
      put(aside, code ? h("p", {}, h("a", { href: `#quality/${shown}` }, "show all")) : null,
        found.length ? table(found) : h("p", { class: "notice" }, code ? `None of the newest ${SHOWN} is ${code}.` : `Nothing of ${shown} was set aside: every record was decided.`),
        told.records.length === SHOWN ? h("p", { class: "small quiet" }, `The newest ${SHOWN}; `, h("code", {}, `./stormwatch dlq list ${shown}`), " has all.") : null);
    }
    const timer = setInterval(async () => {
      if (document.hidden) return;
      if (root.matches(":hover") && aside.matches(":hover")) return;
      const fresh = await ask("set-aside", { domain: shown, limit: SHOWN }).catch(() => null);
      if (!fresh || gone || aside.querySelector("details[open]")) return;
      told = fresh;
      draw();
    }, EVERY_MS);
    draw();
    return {
      part(name, state) {
        if (name === "ledgers") put(proof, ledgers(state.ledgers.filter((l) => l.domain === shown)));
        if (name !== "rates") return;
        const f = state.figures.find((one) => one.domain === shown);
        const all = f ? Object.values(f.ends).reduce((a, b) => a + b, 0) : 0;
        const bad = f ? ["rejected", "dead_lettered", "late", "duplicate", "conflict"].map((s) => [s, f.ends[s] ?? 0]) : [];
        const rejected = f?.ends.rejected ?? 0;
        put(head, f ? [h("span", { class: "large" }, all ? `${((100 * rejected) / all).toFixed(rejected ? 2 : 0)} % rejected` : "nothing decided yet"), " ", h("span", { class: "quiet" }, `of ${count(all)} records of ${shown}`)] : h("span", { class: "quiet" }, `${shown} does not run`));
        put(codes, f ? h("p", {}, bad.map(([s, n]) => [h("a", { href: `#quality/${shown}/${s}`, class: "tab" }, `${s.replaceAll("_", " ")} ${count(n)}`), " "])) : h("p", { class: "quiet" }, "–"),
          f && Object.keys(f.rejected).length ? h("p", { class: "small" }, "rejected: ", Object.entries(f.rejected).sort((a, b) => b[1] - a[1]).map(([c, n]) => [h("a", { href: `#quality/${shown}/${c}` }, `${c} ${count(n)}`), "  "])) : null,
          f && Object.keys(f.noted).length ? h("p", { class: "small quiet" }, "noted: ", Object.entries(f.noted).map(([c, n]) => `${c.replaceAll("_", " ")} ${count(n)}`).join(", ")) : null);
      },
      leave() { gone = true; clearInterval(timer); },
    };
  };
}

function ledgers(all) {
  if (!all.length) return h("p", { class: "notice" }, "No topic exists yet.");
  return all.map((l) => h("div", { class: "ledger" },
    h("p", {}, h("b", {}, l.topic), " ", l.sound ? h("span", { class: "word" }, "✓ sound") : h("span", { class: "word broken" }, "✗ not sound"), " ",
      h("span", { class: "quiet" }, Object.entries(l.states).filter(([, n]) => n).map(([s, n]) => `${s.replaceAll("_", " ")} ${count(n)}`).join(", ") || "nothing decided",
        ` · in flight ${count(l.in_flight)} · without an end state `, h("span", { class: l.unaccounted ? "word broken" : "" }, count(l.unaccounted)))),
    (l.partitions ?? []).map(strip)));
}

// Offsets from left to right: decided, in flight, and what is missing, where it is.
function strip(p) {
  const span = Math.max(p.end - p.first, 1), W = 1000;
  const x = (offset) => (W * Math.min(Math.max(offset - p.first, 0), span)) / span;
  const said = `partition ${p.partition}: offsets ${count(p.first)} to ${count(p.end)}, ${p.unaccounted ? many(p.unaccounted, "offset") + " without an end state" : "without a gap"}`;
  return h("div", { class: "strip" }, h("span", { class: "quiet small" }, `${p.partition}`),
    svg("svg", { viewBox: `0 0 ${W} 12`, preserveAspectRatio: "none", role: "img", "aria-label": said }, svg("title", {}, said),
      svg("rect", { class: "flight", width: W, height: 12 }), svg("rect", { class: "done", width: x(p.committed), height: 12 }),
      p.gaps.map(([first, last]) => svg("rect", { class: "gap", x: x(first), width: Math.max(x(last + 1) - x(first), 3), height: 12 }))),
    h("span", { class: "quiet small number" }, `${count(p.first)} – ${count(p.end)}`));
}

function table(records) {
  return h("table", {},
    h("thead", {}, h("tr", {}, ["when", "state", "code", "why", "record"].map((t) => h("th", {}, t)))),
    h("tbody", {}, records.map((r) => h("tr", {},
      h("td", {}, moment(r.timestamp)), h("td", {}, r.state.replaceAll("_", " ")), h("td", {}, h("code", {}, r.code)),
      h("td", {}, r.reason.split("\n").at(-1)),
      h("td", {}, h("details", {}, h("summary", {}, h("code", {}, r.record)),
        h("pre", { class: "code" }, r.value ?? "no value")))))));
}
