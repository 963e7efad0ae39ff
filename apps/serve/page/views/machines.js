// Which machines will not last until the next stop: the fleet by health, worst first.
import { ask } from "../api.js";
import { h, put, svg } from "../dom.js";
import { calendar, csv, save } from "../files.js";
import { age, count, many, outcome } from "../format.js";
import { place, why } from "./alerts.js";
import { deciding } from "./deciding.js";
import { against, ends, likelyStop } from "./fleet.js";
import { machineDetail } from "./machine.js";
import { pane } from "./pane.js";

const EVERY_MS = 5_000;
const LIFE_SHOWN = 125; // cycles; a longer life is a full bar
const local = (time) => new Date(time - new Date(time).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

export async function machines(root, page) {
  let fleet = await ask("fleet", { domain: "maintenance" });
  let asked = Date.now(), only = false, list = null, timer = null, gone = false, waits = false;
  let latest = null;
  const newest = () => (latest ??= Math.max(0, ...fleet.machines.map((m) => m.decision.time)));
  let stop = Number(sessionStorage.getItem("stop")) || 0;
  root.classList.add("machines");
  const tools = h("span", { class: "tools" });
  const when = h("input", { type: "datetime-local", "aria-label": "The next planned stop", onchange: () => {
    stop = when.value ? new Date(when.value).getTime() : 0;
    sessionStorage.setItem("stop", String(stop));
    sorted = null;
    list.draw();
    if (list.chosen) list.open(list.chosen, false);
  } });
  const filter = h("button", { "aria-pressed": "false", onclick: () => { only = !only; filter.setAttribute("aria-pressed", String(only)); list.draw(); } }, "in trouble only");
  put(tools, h("label", {}, "next stop ", when), filter,
    h("button", { onclick: () => save("machines.csv", "text/csv", csv(rows())) }, "CSV"),
    h("button", { onclick: () => save("machines.ics", "text/calendar", calendar(events(), Date.now())) }, "calendar"));

  const decide = await deciding(root, () => list, {
    acts: [["l", "acknowledge", "look into"], ["s", "snooze", "snooze 24 h"], ["r", "repaired", "repaired"], ["n", "note", "note"], ["a", "assign", "hand over"]],
    moves: ["snooze", "repaired"], what: "alert", name: (m) => m.decision.entity,
    alerts: (m) => [m.alert ?? m.decision].filter((a) => a.alert && a.key), changed: () => list.draw(),
    find: (alert) => fleet.machines.find((m) => (m.alert ?? m.decision) === alert),
  });
  let sorted = null;
  const bad = (m) => against(m, stop, fleet.pace, newest()).rank;
  const left = (m) => (m.is_life && m.decision.score >= 0 ? m.decision.score : 1e9);
  list = pane(root, {
    title: "Machines", tools, key: (m) => m.decision.entity, row, head, empty, place: (m) => place(m.decision),
    items: () => {
      sorted ??= [...fleet.machines].sort((a, b) => bad(b) - bad(a) || left(a) - left(b) || b.decision.score - a.decision.score);
      return only ? sorted.filter((m) => bad(m) > 1) : sorted;
    },
    words: (m) => `${m.decision.entity} ${m.decision.outcome} ${why(m.decision)}`,
    newer: () => (waits ? 1 : 0), take: () => {},
    bar: (m) => decide.actions(m),
    open: (m, side) => machineDetail(side, m.decision, page, { stop, pace: m.pace ?? fleet.pace, word: against(m, stop, fleet.pace, newest()) }),
  });

  function head() {
    const word = fleet.machines.filter((m) => bad(m) > 1).length;
    const fails = fleet.machines.filter((m) => bad(m) === 6).length;
    if (!stop && fleet.machines.length) stop = likelyStop(newest(), fleet.pace);
    if (stop && document.activeElement !== when) when.value = local(stop);
    return [h("h1", {}, "Machines"), h("p", { class: "figures" },
      h("span", { class: "large" }, fails ? `${many(fails, "machine")} will not reach the stop` : `${word} of ${many(fleet.machines.length, "machine")} in trouble`), " ",
      h("span", { class: "quiet" }, fails ? `${count(word)} of ${count(fleet.machines.length)} in trouble` : "",
        fleet.whole ? "" : ` · the first ${count(fleet.machines.length)} that were found`,
        fleet.pace ? ` · a cycle takes about ${age(fleet.pace)}` : ""))];
  }
  function empty() {
    if (fleet.machines.length) return h("p", { class: "notice" }, "No machine is in trouble.");
    return h("p", { class: "notice" }, "No machine was heard of yet. Start ", h("code", {}, "./stormwatch demo"), " or ",
      h("code", {}, "./stormwatch run --topology maintenance"), ", or bring your own: ", h("code", {}, "./stormwatch map FILE"), ".");
  }
  function row(m) {
    const d = m.decision, how = against(m, stop, fleet.pace, newest());
    return [h("span", { class: "who" }, d.entity), h("span", { class: "what" }, life(m)),
      h("span", { class: `word ${how.kind}` }, how.word || d.outcome.replaceAll("_", " ")),
      h("span", { class: "why quiet" }, why(d) || "nothing stands out")];
  }
  function life(m) {
    const d = m.decision;
    if (d.outcome === "sensor_fault" || !m.is_life || d.score < 0) return outcome(d.outcome, d.alert);
    const part = (v) => (100 * Math.min(v / LIFE_SHOWN, 1)).toFixed(1);
    const [low, high] = d.interval ?? [d.score, d.score];
    return [svg("svg", { class: "life", width: 64, height: 10, viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "all", width: 100, height: 10 }), svg("rect", { class: "normal", x: part(low), width: Math.max(part(high) - part(low), 1), height: 10 }),
      svg("rect", { class: "now", width: part(d.score), y: 3, height: 4 })),
    ` ${d.score.toFixed(0)} cycles`, d.interval ? h("span", { class: "quiet" }, ` (${low.toFixed(0)}–${high.toFixed(0)})`) : null];
  }
  function rows() {
    return [["machine", "outcome", "cycles left", "at least", "at most", "lasts until (UTC)", "at least until (UTC)", "against the stop", "newest reading (UTC)", "why"],
      ...list_().map((m) => {
        const d = m.decision, end = ends(m, fleet.pace);
        const iso = (t) => (t ? new Date(t).toISOString() : "");
        return [d.entity, d.outcome, m.is_life ? d.score : "", d.interval?.[0], d.interval?.[1], iso(end?.likely), iso(end?.early), against(m, stop, fleet.pace, newest()).word, iso(d.time), why(d)];
      })];
  }
  const list_ = () => [...fleet.machines].sort((a, b) => bad(b) - bad(a) || left(a) - left(b));
  function events() {
    return list_().filter((m) => bad(m) >= 5 && ends(m, fleet.pace)).map((m) => {
      const end = ends(m, fleet.pace);
      return { uid: `${m.decision.entity}-${m.decision.id}@stormwatch`, from: end.early, to: Math.max(end.likely, end.early + 3_600_000),
        title: `${m.decision.entity}: service before this`, text: `${against(m, stop, fleet.pace, newest()).word}. ${why(m.decision)}` };
    });
  }
  async function again() {
    if (gone || Date.now() - asked < EVERY_MS) return;
    asked = Date.now();
    const fresh = await ask("fleet", { domain: "maintenance" }).catch(() => null);
    if (!fresh || gone) return;
    const before = new Map(fleet.machines.map((m) => [m.decision.entity, m]));
    for (const m of fresh.machines) {
      const old = before.get(m.decision.entity);
      const [one, two] = [m.alert ?? m.decision, old && (old.alert ?? old.decision)];
      if (two && decide.holds(two) && one.id === two.id) one.work = two.work;
    }
    fleet = fresh;
    latest = null;
    if (list.held || list.chosen) { // the order holds still; what is said of each is new
      const fresh_ = new Map(fleet.machines.map((m) => [m.decision.entity, m]));
      const kept = sorted?.map((m) => fresh_.get(m.decision.entity)).filter(Boolean) ?? [];
      const there = new Set(kept);
      sorted = [...kept, ...fleet.machines.filter((m) => !there.has(m))];
    } else sorted = null;
    list.draw();
    list.openFirst();
  }

  list.draw();
  setTimeout(() => list.openFirst());
  timer = setInterval(() => document.hidden || again(), EVERY_MS);
  return {
    keys: (pressed) => decide.keys(pressed) || list.keys(pressed),
    leave() { gone = true; clearInterval(timer); decide.leave(); },
  };
}
