// The queue of payments to decide: worst first, one case a customer and day, one key an action.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { age, many, outcome, score } from "../format.js";
import { KEEP, newsOf, same } from "../news.js";
import { place, why } from "./alerts.js";
import { cases, caseStanding, ORDERS, standing } from "./cases.js";
import { deciding } from "./deciding.js";
import { pane } from "./pane.js";
import { paymentDetail } from "./payment.js";

const FILTERS = ["open", "snoozed", "done"];
const PAGE = 300;

export async function fraud(root, page) {
  let shown = [], waiting = [], next = null, order = "worst", filter = "open", known = null, list = null, gone = false;
  const news = newsOf("fraud", { features: "amount" });
  const tools = h("span", { class: "tools" });
  const first = await ask("alerts", { domain: "fraud", limit: PAGE, features: "amount" });
  shown = first.decisions;
  next = first.next;

  const all = () => (known ??= cases(shown));
  const decide = await deciding(root, () => list, {
    acts: [["f", "fraud", "fraud"], ["c", "clear", "clear"], ["l", "acknowledge", "look into"], ["s", "snooze", "snooze 24 h"], ["n", "note", "note"], ["a", "assign", "hand over"]],
    moves: ["fraud", "clear", "snooze"], what: "payment", name: (one) => one.entity,
    alerts: (one, act) => (act === "note" ? [one.worst] : one.alerts.filter((a) => standing(a, Date.now()) !== "done")).filter((a) => a.key),
    find: (alert) => all().find((one) => one.alerts.includes(alert)), changed: () => list.draw(),
  });
  list = pane(root, {
    title: "Payments to decide", tools, key: (one) => one.key, row, head, empty, place: (one) => place(one.worst),
    items: () => all().filter((one) => caseStanding(one, Date.now()) === filter).sort(ORDERS[order]),
    words: (one) => one.alerts.map((a) => `${a.entity} ${a.id} ${a.said} ${a.outcome} ${why(a)}`).join(" "),
    newer: () => waiting.length, take, more: () => (next && shown.length < KEEP ? older : null),
    bar: (one) => decide.actions(one), open: (one, side) => paymentDetail(side, one.worst, page, one),
  });

  function head() {
    const now = Date.now();
    const counts = { open: [], snoozed: [], done: [] };
    for (const one of all()) counts[caseStanding(one, now)].push(one);
    put(tools, FILTERS.map((name) => h("button", { "aria-pressed": String(name === filter), onclick: () => { filter = name; list.draw(); } }, `${name} ${counts[name].length}`)),
      h("button", { title: "o", onclick: turn }, `${order} first`));
    return [h("h1", {}, "Payments to decide"), h("p", { class: "figures" },
      h("span", { class: "large" }, many(counts.open.length, "open case")), " ",
      h("span", { class: "quiet" }, counts.open.length ? `the oldest waits for ${age(now - Math.min(...counts.open.map((one) => one.oldest)))}` : "nothing waits",
        next ? ` · of the newest ${many(shown.length, "alert")}` : ""))];
  }
  function turn() {
    const names = Object.keys(ORDERS);
    order = names[(names.indexOf(order) + 1) % names.length];
    list.draw();
  }
  function empty() {
    if (shown.length) return h("p", { class: "notice" }, filter === "open" ? "Nothing waits: every case is decided or snoozed." : `No case is ${filter}.`);
    return h("p", { class: "notice" }, "No payment was declined or sent to review yet. Start ", h("code", {}, "./stormwatch demo"),
      " or ", h("code", {}, "./stormwatch run --topology fraud"), ", or ", h("a", { href: "#try" }, "send a payment of your own"), ".");
  }
  function row(one) {
    const a = one.worst, work = a.work;
    const tag = work?.label || (work?.assignee ? `→ ${work.assignee}` : work?.status === "acknowledged" ? "looked into" : work?.acts.length ? "seen" : "");
    return [h("span", { class: "number score" }, score(a)), h("span", { class: "what" }, outcome(a.outcome, true), " ", h("b", {}, amount(a))),
      h("span", { class: "who" }, a.entity),
      h("span", { class: "number quiet age", title: `since ${new Date(one.oldest).toISOString()}` }, age(Date.now() - one.oldest)),
      h("span", { class: "why quiet" }, one.alerts.length > 1 ? h("b", {}, `${one.alerts.length} payments · `) : null, why(a)),
      h("span", { class: "quiet tag" }, tag)];
  }
  function take() {
    shown = [...waiting, ...shown].slice(0, KEEP);
    waiting = [];
    known = null;
  }
  async function older() {
    const more = await ask("alerts", { domain: "fraud", limit: PAGE, after: next, features: "amount" });
    shown = [...shown, ...more.decisions];
    next = more.next;
    known = null;
    list.draw();
  }

  list.draw();
  setTimeout(() => list.openFirst());
  return {
    async part(name, state) {
      if (name !== "alerts") return;
      const have = new Map([...shown, ...waiting].map((a) => [same(a), a]));
      for (const a of state.alerts) {
        const there = a.domain === "fraud" && have.get(same(a));
        if (!there) continue;
        there.said ||= a.said;
        if (a.work && a.work.version > (there.work?.version ?? 0) && !decide.holds(there)) there.work = a.work;
      }
      const fresh = await news(state.alerts, have);
      if (gone) return;
      waiting = [...fresh, ...waiting].slice(0, KEEP);
      // Nothing jumps while somebody reads: the list holds still and says how many are newer.
      if (!list.held && !list.chosen) take();
      list.draw();
      if (!list.chosen && filter === "open") list.openFirst();
    },
    keys(pressed) {
      if (pressed === "o") { turn(); return true; }
      return decide.keys(pressed) || list.keys(pressed);
    },
    leave() { gone = true; decide.leave(); },
  };
}

/** The amount in words: as the record says it, or as the model saw it. */
function amount(alert) {
  if (alert.said) return alert.said;
  if (alert.features?.amount === undefined) return "";
  const number = (alert.features.amount / 100).toFixed(2); // the reasons have its currency
  return why(alert).match(new RegExp(`(?<![0-9.])${number.replace(".", "\\.")} [A-Z]{3}\\b`))?.[0] ?? number;
}
