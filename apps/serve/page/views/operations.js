// Operations: is all well, since when not, and where does it wait.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { age, behindBy, count, ms, moment, rate, share } from "../format.js";

const EVERY_MS = 3_000;
const SILENT_MS = 30_000;

export async function operations(root, page) {
  root.classList.add("reading");
  const health = h("div"), hops = h("div"), tasks = h("div"), settings = h("div");
  let [told, costs, set] = await Promise.all([ask("components"), ask("costs"), ask("settings")]), search = "", gone = false;
  const find = h("input", { type: "search", placeholder: "Search ( / )", "aria-label": "Search in the settings", oninput: () => { search = find.value.toLowerCase(); drawSettings(); } });
  put(root, h("h1", {}, "Operations"), health, h("h2", {}, "What a record costs, hop by hop"), hops, h("h2", {}, "Components, since each of them started"), tasks,
    h("h2", {}, "Settings in force for this server"), h("p", {}, find), settings);

  function drawHealth() {
    const figures = (page.parts.rates?.figures ?? []).filter((f) => f.running || f.waiting);
    const trouble = page.parts.trouble;
    put(health,
      trouble?.said ? h("p", { class: "notice broken" }, `Since ${new Date(trouble.since).toLocaleTimeString()}: ${trouble.said}`) : null,
      figures.length ? h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "domain"), ["in", "decided", "waiting", "to a decision", "p99", "by rules alone"].map((t) => h("th", { class: "number" }, t)), h("th", {}, "state"))),
        h("tbody", {}, figures.map((f) => h("tr", {}, h("td", {}, f.domain), h("td", { class: "number" }, rate(f.incoming)), h("td", { class: "number" }, rate(f.outgoing)),
          h("td", { class: "number" }, count(f.waiting)), h("td", { class: "number" }, ms(f.latency.p50)), h("td", { class: "number" }, ms(f.latency.p99)), h("td", { class: "number" }, count(f.degraded)),
          h("td", {}, where(f)))))))
        : h("p", { class: "notice" }, "No topology runs. Start one: ", h("code", {}, "./stormwatch run"), "."));
  }
  // Where records wait, in words.
  function where(f) {
    if (!f.running) return h("span", { class: "word broken" }, "its bolts are silent");
    if (f.waiting > 10 * Math.max(f.outgoing, 1)) return h("span", { class: "word person" }, behindBy([f]));
    if (f.degraded) return h("span", { class: "word person" }, "the model was away");
    return "keeps up";
  }
  // Microseconds a record, of the last seconds; as ./stormwatch profile tells it.
  function drawCosts() {
    const some = costs.filter((c) => c.hops.length);
    if (!some.length) return put(hops, h("p", { class: "notice" }, costs[0]?.advice ?? "Nothing runs: nothing costs."));
    const all = some.flatMap((c) => c.hops), parts = Object.keys(all[0].us).filter((part) => part !== "wait" && all.some((hop) => hop.us[part] >= 0.05));
    const us = (n) => (n === null ? "–" : n < 0.05 ? "" : n < 10 ? n.toFixed(1) : count(n));
    put(hops, some.map((c) => h("p", { class: "notice" }, h("b", {}, `${c.domain}: `), c.advice)),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "component"), ["records", "a batch", "busy", ...parts, "processor", "at most"].map((t) => h("th", { class: "number" }, t)))),
        h("tbody", {}, some.flatMap((c) => c.hops.map((hop) => h("tr", {}, h("td", {}, h("span", { class: "quiet" }, `${c.domain} `), hop.component, hop.tasks > 1 ? ` × ${hop.tasks}` : ""),
          [count(hop.records), us(hop.records / Math.max(hop.batches, 1)), share(hop.busy), ...parts.map((part) => us(hop.us[part])), us(hop.cpu_us), hop.most === null ? "–" : rate(hop.most)].map((t) => h("td", { class: "number" }, t)))))))),
      h("p", { class: "small quiet" }, `Microseconds a record over the last ${age(Math.max(...some.map((c) => c.ms)))}, by what they went into. At most: what its tasks could do with a core each, by the processor time of their processes.`));
  }
  function drawTasks() {
    if (!told.length) return put(tasks, h("p", { class: "notice" }, "No component has written figures. Start a topology: ", h("code", {}, "./stormwatch run"), "."));
    put(tasks, h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["component", "process", "since"].map((t) => h("th", {}, t)),
      ["batches", "tried again", "busy", "a batch takes"].map((t) => h("th", { class: "number" }, t)), h("th", {}, "of that"), ["states from memory", "memory"].map((t) => h("th", { class: "number" }, t)), h("th", {}, "figures"))),
    h("tbody", {}, told.map((t) => h("tr", {}, h("td", {}, h("span", { class: "quiet" }, `${t.domain} `), t.component), h("td", { title: t.instance }, `${t.host} ${t.pid}`), h("td", {}, t.started ? moment(t.started) : "–"),
      h("td", { class: "number" }, count(t.batches)), h("td", { class: "number" }, t.failed ? h("span", { class: "word person" }, count(t.failed)) : "0"),
      h("td", { class: "number" }, busy(t)), h("td", { class: "number" }, t.batches && t.spent.process !== undefined ? ms(t.spent.process / 1000 / t.batches) : "–"), h("td", { class: "stages" }, stages(t)),
      h("td", { class: "number" }, t.hits + t.misses ? share(t.hits / (t.hits + t.misses)) : "–"), h("td", { class: "number" }, t.resident ? `${count(t.resident / 1e6)} MB` : "–"),
      h("td", {}, t.silent > SILENT_MS ? h("span", { class: "word broken" }, `silent for ${age(t.silent)}`) : h("span", { class: "quiet" }, `${age(t.silent)} ago`))))))),
    h("p", { class: "small quiet" }, "Busy: of the time since it started, the share in which it worked on batches. A task that was started anew begins at zero: its start says when."));
  }
  function busy(t) {
    const { process, poll = 0, encode = 0, emit = 0, wait = 0 } = t.spent;
    const worked = process ?? poll + encode + emit; // of a spout: what it does between Storm's turns
    return worked + wait ? share(worked / (worked + wait)) : "–";
  }
  // What a batch costs, stage by stage: the longest first.
  function stages(t) {
    const parts = Object.entries(t.spent).filter(([name]) => !["wait", "process", "score"].includes(name)).sort((a, b) => b[1] - a[1]).slice(0, 3);
    return h("span", { class: "quiet" }, parts.map(([name, us]) => `${name} ${ms(us / 1000 / Math.max(t.batches, 1))}`).join(", "));
  }
  function drawSettings() {
    const found = set.filter((s) => `${s.key} ${s.value} ${s.source} ${s.help}`.toLowerCase().includes(search));
    const changed = (s) => s.source !== "default";
    put(settings, found.length ? h("table", {}, h("thead", {}, h("tr", {}, ["setting", "value", "from", "what it is"].map((t) => h("th", {}, t)))),
      h("tbody", {}, [...found].sort((a, b) => changed(b) - changed(a)).map((s) => h("tr", {}, h("td", {}, h("code", {}, s.key)), h("td", { class: "value" }, changed(s) ? h("b", {}, s.value) : s.value),
        h("td", { class: "quiet from" }, s.source.split(/(?<=_)/).map((part) => [part, h("wbr")])), h("td", { class: "quiet help" }, s.help)))))
      : h("p", { class: "notice" }, `No setting has “${search}” in it.`));
  }
  async function again() {
    const [fresh, cost] = await Promise.all([ask("components"), ask("costs")]).catch(() => []);
    if (!fresh || gone) return;
    told = fresh;
    costs = cost;
    drawCosts();
    drawTasks();
  }
  drawHealth();
  drawCosts();
  drawTasks();
  drawSettings();
  const timer = setInterval(() => document.hidden || again(), EVERY_MS);
  return {
    part(name) { if (name === "rates" || name === "trouble") drawHealth(); },
    keys(pressed) { if (pressed === "/") { find.focus(); return true; } return false; },
    leave() { gone = true; clearInterval(timer); },
  };
}
