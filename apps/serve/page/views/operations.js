// Operations: is all well, since when not, and where does it wait.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { age, count, ms, moment, rate } from "../format.js";

const EVERY_MS = 3_000;

export async function operations(root, page) {
  root.classList.add("reading");
  const health = h("div"), tasks = h("div"), settings = h("div");
  let told = await ask("operations"), search = "", gone = false;
  const find = h("input", { type: "search", placeholder: "Search ( / )", "aria-label": "Search in the settings", oninput: () => { search = find.value.toLowerCase(); drawSettings(); } });
  put(root, h("h1", {}, "Operations"), health, h("h2", {}, "Components, since each of them started"), tasks,
    h("h2", {}, "Settings in force for this server"), h("p", {}, find), settings);

  function drawHealth() {
    const figures = (page.parts.rates?.figures ?? []).filter((f) => f.running || f.waiting);
    const trouble = page.parts.trouble;
    put(health,
      trouble?.said ? h("p", { class: "notice broken" }, `Since ${new Date(trouble.since).toLocaleTimeString()}: ${trouble.said}`) : null,
      figures.length ? h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "domain"), ["in", "decided", "waiting", "to a decision", "p99", "by rules alone"].map((t) => h("th", { class: "number" }, t)), h("th", {}, ""))),
        h("tbody", {}, figures.map((f) => h("tr", {}, h("td", {}, f.domain), h("td", { class: "number" }, rate(f.incoming)), h("td", { class: "number" }, rate(f.outgoing)),
          h("td", { class: "number" }, count(f.waiting)), h("td", { class: "number" }, ms(f.latency.p50)), h("td", { class: "number" }, ms(f.latency.p99)), h("td", { class: "number" }, count(f.degraded)),
          h("td", {}, where(f))))))
        : h("p", { class: "notice" }, "No topology runs. Start one: ", h("code", {}, "./stormwatch run"), "."));
  }
  // Where records wait, in words.
  function where(f) {
    if (!f.running) return h("span", { class: "word broken" }, "its bolts are silent");
    if (f.waiting > 10 * Math.max(f.outgoing, 1)) return h("span", { class: "word person" }, `behind by ${age((1000 * f.waiting) / Math.max(f.outgoing, 0.1))}`);
    if (f.degraded) return h("span", { class: "word person" }, "the model was away");
    return "keeps up";
  }
  function drawTasks() {
    if (!told.tasks.length) return put(tasks, h("p", { class: "notice" }, "No component has written figures within the hour."));
    put(tasks, h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["domain", "component", "task", "process"].map((t) => h("th", {}, t)),
      ["decided", "batches", "tried again", "states held", "to a decision", "p99"].map((t) => h("th", { class: "number" }, t)), h("th", {}, "figures of"))),
    h("tbody", {}, told.tasks.map((t) => h("tr", {}, h("td", {}, t.domain), h("td", {}, t.component), h("td", { title: t.task }, t.task.split("-")[0]), h("td", {}, `${t.host} ${t.pid}`),
      [t.decided, t.batches, t.failed, t.cached].map((n) => h("td", { class: "number" }, count(n))), h("td", { class: "number" }, ms(t.p50)), h("td", { class: "number" }, ms(t.p99)),
      h("td", {}, t.running ? moment(t.at) : h("span", { class: "word broken" }, `silent for ${age(told.at - t.at)}`))))))));
  }
  function drawSettings() {
    const found = told.settings.filter((s) => `${s.key} ${s.value} ${s.source} ${s.help}`.toLowerCase().includes(search));
    const changed = (s) => s.source !== "default";
    put(settings, found.length ? h("table", {}, h("thead", {}, h("tr", {}, ["setting", "value", "from", "what it is"].map((t) => h("th", {}, t)))),
      h("tbody", {}, [...found].sort((a, b) => changed(b) - changed(a)).map((s) => h("tr", {}, h("td", {}, h("code", {}, s.key)), h("td", {}, changed(s) ? h("b", {}, s.value) : s.value),
        h("td", { class: "quiet" }, s.source), h("td", { class: "quiet" }, s.help)))))
      : h("p", { class: "notice" }, `No setting has “${search}” in it.`));
  }
  async function again() {
    const fresh = await ask("operations").catch(() => null);
    if (!fresh || gone) return;
    told = fresh;
    drawTasks();
  }
  drawHealth();
  drawTasks();
  drawSettings();
  const timer = setInterval(again, EVERY_MS);
  return {
    part(name) { if (name === "rates" || name === "trouble") drawHealth(); },
    keys(pressed) { if (pressed === "/") { find.focus(); return true; } return false; },
    leave() { gone = true; clearInterval(timer); },
  };
}
