// The queue of a domain's alerts: worst or newest first, one beside the other with its detail.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { count } from "../format.js";
import { alertTable, place } from "./alerts.js";
import { detail } from "./decision.js";

const SORTS = {
  newest: (a, b) => b.timestamp - a.timestamp,
  fraud: (a, b) => b.score - a.score || b.timestamp - a.timestamp,
  maintenance: (a, b) => trouble(a) - trouble(b) || b.timestamp - a.timestamp,
};

// Smaller is worse: what is known to end soon, then the oddest, then broken sensors and silence.
function trouble(alert) {
  if (alert.outcome === "service") return alert.score;
  if (alert.outcome === "anomaly") return 10_000 - alert.score;
  return 20_000;
}

export function queue(domain, title) {
  return async (root, page) => {
    let shown = [], waiting = [], next = null, chosen = null, byWorst = false;
    const list = h("div");
    const newer = h("button", { hidden: true, onclick: () => { take(); draw(); } });
    const order = h("button", { onclick: () => { byWorst = !byWorst; draw(); } });
    const more = h("button", { onclick: older }, "Older alerts");
    const side = h("div", { class: "detail" },
      h("p", { class: "quiet" }, "Choose an alert: click it, or j, k and Enter."));
    put(root, h("div", { class: "split" },
      h("section", {}, h("h1", {}, title), h("p", {}, order, " ", newer), list, h("p", {}, more)), side));

    const key = (a) => `${a.entity}\n${a.id}`;
    function sorted() {
      // Of a machine only its newest alert counts: the state it is in now.
      const all = domain === "maintenance"
        ? shown.filter((a, i) => shown.findIndex((b) => b.entity === a.entity) === i) : shown;
      return [...all].sort(byWorst ? SORTS[domain] : SORTS.newest);
    }
    function draw() {
      const rows = sorted();
      order.textContent = byWorst ? "Worst first" : "Newest first";
      newer.hidden = !waiting.length;
      newer.textContent = `${count(waiting.length)} newer`;
      more.hidden = !next;
      put(list, alertTable(rows, page, chosen));
    }
    function take() {
      shown = [...waiting, ...shown];
      waiting = [];
    }
    async function older() {
      const told = await ask("alerts", { domain, limit: 100, after: next });
      shown = [...shown, ...told.decisions];
      next = told.next;
      draw();
    }
    async function open(alert) {
      chosen = alert;
      draw();
      history.replaceState(null, "", `#${domain === "fraud" ? "fraud" : "machines"}`);
      put(side, h("p", { class: "quiet" }, "Loading"));
      if (side.offsetTop > list.offsetTop) side.scrollIntoView(); // a narrow screen: it is below
      try {
        await detail(side, alert, page);
      } catch (error) {
        put(side, h("p", { class: "notice broken" }, error.message));
      }
    }
    list.addEventListener("click", (event) => {
      const row = event.target.closest("tr.row");
      if (!row) return;
      event.preventDefault();
      event.stopPropagation();
      open(sorted()[[...row.parentNode.children].indexOf(row)]);
    }, true);

    const first = await ask("alerts", { domain, limit: 100 });
    shown = first.decisions;
    next = first.next;
    draw();
    return {
      part(name, state) {
        if (name !== "alerts") return;
        const known = new Set([...shown, ...waiting].map(key));
        const said = new Map(state.alerts.map((a) => [key(a), a.said]));
        for (const a of [...shown, ...waiting]) a.said ||= said.get(key(a)) ?? "";
        const fresh = state.alerts.filter((a) => a.domain === domain && !known.has(key(a)));
        waiting = [...fresh, ...waiting];
        // Nothing jumps while somebody reads: the list holds still and says how many are newer.
        if (!chosen && !root.matches(":hover")) take();
        draw();
      },
      keys(pressed) {
        const rows = sorted();
        const index = rows.indexOf(chosen);
        if (pressed === "j" || pressed === "k") {
          const to = pressed === "j" ? index + 1 : Math.max(index - 1, 0);
          if (rows[to]) open(rows[to]);
        } else if (pressed === "Enter" && chosen) location.hash = place(chosen);
        else return false;
        return true;
      },
    };
  };
}
