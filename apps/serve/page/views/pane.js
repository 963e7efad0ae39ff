// A list beside the detail of what is chosen in it: by j, k, Enter, / and the pointer. The list holds
// still while somebody is in it, and says how many are newer.
import { release } from "../charts.js";
import { h, put } from "../dom.js";
import { count, moment } from "../format.js";

const AT_ONCE = 300;
const wide = matchMedia("(min-width: 901px)");

/**
 * `of`: { title, items() -> sorted, key(item), row(item) -> children, open(item, side) -> promise,
 * words(item) for the search, place(item) -> address of one alone, empty() -> element,
 * bar(item), what can be done about it, newer() -> number that wait, take(), more() -> null or a function that asks for older ones }.
 */
export function pane(root, of) {
  let chosen = null, search = "", turn = 0;
  const head = h("div", { class: "head" });
  const list = h("ol", { class: "cases", "aria-label": of.title });
  const newer = h("button", { hidden: true, onclick: () => { of.take(); draw(); list.scrollTop = 0; } });
  const find = h("input", { type: "search", placeholder: "Search ( / )", "aria-label": "Search in the list", oninput: () => { search = find.value.toLowerCase(); draw(); } });
  const foot = h("div", { class: "foot small quiet" });
  const side = h("section", { class: "detail", tabindex: "-1", "aria-label": "Detail" });
  const bar = h("div", { class: "bar" });
  const back = h("button", { class: "back", onclick: () => close() }, "‹ List");
  const panes = h("div", { class: "panes" },
    h("section", { class: "left" }, head, h("p", { class: "tools" }, of.tools ?? null, find, newer), list, foot), side);
  put(root, panes);
  root.classList.add("fill");

  function nothing(rows) {
    put(side, rows.length ? h("p", { class: "quiet" }, "Choose one: click it, or j, k and Enter.") : null);
  }
  function found() {
    const all = of.items();
    return search ? all.filter((item) => of.words(item).toLowerCase().includes(search)) : all;
  }
  function draw() {
    const rows = found();
    const shown = rows.slice(0, AT_ONCE);
    const focused = list.contains(document.activeElement);
    const top = list.scrollTop;
    put(head, of.head());
    if (!chosen) nothing(rows);
    newer.hidden = !of.newer();
    newer.textContent = `${count(of.newer())} newer`;
    put(list, shown.length ? shown.map(line) : h("li", { class: "nothing" }, search ? h("p", { class: "notice" }, `Nothing here has “${search}” in it.`) : of.empty()));
    list.scrollTop = top;
    if (focused) list.querySelector("[aria-current]")?.focus({ preventScroll: true });
    const more = of.more?.();
    put(foot, rows.length > AT_ONCE ? `The first ${AT_ONCE} of ${count(rows.length)} are shown: search, or decide some. ` : null,
      more ? h("button", { onclick: more }, "Ask for older ones") : null);
  }
  function line(item) {
    const current = chosen !== null && of.key(item) === of.key(chosen);
    return h("li", {}, h("a", {
      href: of.place(item), class: "case", "aria-current": current ? "true" : null,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        open(item);
      },
    }, of.row(item)));
  }
  async function open(item, scroll = true) {
    chosen = item;
    const mine = ++turn;
    draw();
    panes.classList.add("open");
    put(bar, of.bar?.(item)); // at once: a key is of what is chosen, shown already or not
    if (!bar.isConnected) put(side, back, bar, h("p", { class: "quiet" }, "Loading"));
    if (scroll) list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
    const inner = h("div");
    let slow = null;
    try {
      slow = setTimeout(() => mine === turn && side.classList.add("stale"), 150);
      await of.open(item, inner);
    } catch (error) {
      put(inner, h("p", { class: "notice broken" }, error.message));
    }
    clearTimeout(slow);
    if (mine !== turn) return;
    side.classList.remove("stale");
    put(side, back, bar, inner);
    side.scrollTop = 0;
    release();
    of.opened?.(item, inner);
  }
  function close() {
    chosen = null;
    turn++;
    panes.classList.remove("open");
    draw();
  }
  function step(by) {
    const rows = found();
    const index = chosen ? rows.findIndex((row) => of.key(row) === of.key(chosen)) : -1;
    const to = Math.min(Math.max(index + by, 0), rows.length - 1);
    if (rows[to] && to !== index) open(rows[to]);
    return Boolean(rows[to]);
  }
  return {
    draw, open, close, step,
    /** Say anew what can be done about what is chosen, unless somebody writes there. */
    renew() {
      if (chosen && !bar.querySelector("form")) put(bar, of.bar?.(chosen));
    },
    get chosen() { return chosen; },
    /** Whether somebody is in the list: it must hold still. */
    get held() { return list.matches(":hover") || list.contains(document.activeElement) || Boolean(search); },
    /** The first one, where there is room for a detail beside the list. */
    openFirst() {
      const [first] = found();
      if (first && !chosen && wide.matches) open(first, false);
    },
    /** The one after what is chosen, as the list stands; kept across a change of the list. */
    following() {
      const rows = found();
      const index = rows.findIndex((row) => chosen && of.key(row) === of.key(chosen));
      return rows[index + 1] ?? rows[index - 1] ?? null;
    },
    keys(pressed) {
      if (pressed === "j" || pressed === "ArrowDown") return step(1);
      if (pressed === "k" || pressed === "ArrowUp") return step(-1);
      if (pressed === "Enter" && chosen && document.activeElement?.tagName !== "BUTTON") {
        location.hash = of.place(chosen).slice(1);
        return true;
      }
      if (pressed === "/") { find.focus(); return true; }
      if (pressed === "Escape" && chosen) { close(); return true; }
      return false;
    },
  };
}

/** What was done about an alert and by whom, newest last. */
export function history(work) {
  if (!work?.acts?.length) return null;
  const words = { acknowledge: "looks at it", reopen: "opened it again", close: "closed it", label: "says it is",
    assign: "handed it to", snooze: "snoozed it", comment: "notes:" };
  return h("ul", { class: "history small" }, work.acts.slice(-8).map((a) => h("li", {}, moment(a.at), ` ${a.who} `,
    words[a.act] ?? a.act, " ",
    a.act === "snooze" ? (Number(a.text) ? ["until ", moment(Number(a.text))] : "no more") : a.act === "assign" && !a.text ? "nobody" : a.text)));
}
