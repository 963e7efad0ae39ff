// What a person decides about what is chosen in a list: one key an action, one key to undo it.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { many } from "../format.js";
import { ACTS, Doing, GRACE_MS } from "../work.js";
import { history } from "./pane.js";

const ASKS = { note: "A note for whoever looks next", assign: "Hand over to (a name; empty: to nobody)" };

/**
 * `of`: { acts: [[key, act, word]], moves: acts after which the next one is opened, alerts(item, act),
 * name(item), what: "payment", changed() }. `list()` is the pane.
 */
export async function deciding(root, list, of) {
  const said = h("div", { class: "said", role: "status", "aria-live": "polite" });
  const session = await ask("session").catch(() => null);
  const may = !session || !session.needed || (session.role && session.role !== "viewer");
  let doing = null, told = "", bar = null;
  addEventListener("pagehide", () => doing?.end());

  function actions(item) {
    bar = h("div", { class: "actions" });
    const there = of.alerts(item, "note").length > 0;
    const work = of.alerts(item, "note")[0]?.work;
    put(bar, !may ? null : h("p", {}, of.acts.map(([key, name, word]) => [h("button", { disabled: !there, onclick: () => act(name) }, h("kbd", {}, key), ` ${word}`), " "]),
      h("button", { disabled: !doing?.undoable, onclick: undo }, h("kbd", {}, "u"), " undo")),
    may ? null : h("p", { class: "quiet small" }, session?.role ? "You may look, not decide: that needs a token with the role analyst."
      : ["To decide, ", h("a", { href: "#sign-in" }, "sign in"), " with a token: ", h("code", {}, "./stormwatch token add NAME --role analyst"), "."]),
    work?.assignee ? h("p", { class: "small" }, `With ${work.assignee}.`) : null, history(work));
    return bar;
  }
  function act(name) {
    const item = list().chosen;
    if (!item || !may) return;
    if (ASKS[name]) input(name);
    else start(name, "");
  }
  function input(name) {
    const field = h("input", { type: "text", "aria-label": ASKS[name], placeholder: ASKS[name], maxlength: "2000" });
    const form = h("form", { class: "ask", onsubmit: (event) => {
      event.preventDefault();
      form.remove();
      if (field.value.trim() || name === "assign") start(name, field.value.trim());
    } }, field, h("button", {}, "OK"), h("button", { type: "button", onclick: () => form.remove() }, "Cancel"));
    field.addEventListener("keydown", (event) => event.key === "Escape" && form.remove());
    bar?.querySelector("form")?.remove();
    bar?.append(form);
    field.focus();
  }
  function start(name, text) {
    const item = list().chosen;
    const targets = of.alerts(item, name);
    if (!targets.length) return say(`${of.name(item)} is decided already: undo it (u), or see its history.`);
    doing?.end();
    const following = of.moves.includes(name) ? list().following() : item;
    doing = new Doing(name, targets, text, finished);
    told = `${of.name(item)}: ${many(targets.length, of.what)} ${ACTS[name].said}${text ? `: ${text}` : ""}.`;
    say(told, doing.waits ? ` It is sent in ${GRACE_MS / 1000} s.` : "");
    of.changed();
    if (following) list().open(following);
    else list().close();
  }
  function finished(error) {
    if (error) {
      doing = null;
      say(`Not written. ${error.message}`, "", true);
      if (list().chosen) list().open(list().chosen, false);
    } else if (doing && !doing.waits) say(`${told} Sent.`);
    of.changed();
    list().renew();
  }
  async function undo() {
    if (!doing?.undoable) return say("There is nothing to undo: a label that was sent stays; send the other one.");
    const { alerts } = doing;
    try {
      await doing.undo();
      doing = null;
      say("Undone: it is as it was before.");
      of.changed();
      const item = of.find?.(alerts[0]);
      if (item) list().open(item);
    } catch (error) {
      say(`Not undone. ${error.message}`, "", true);
    }
  }
  function say(text, more = "", bad = false) {
    if (!said.isConnected) root.append(said);
    put(said, h("p", { class: `notice ${bad ? "broken" : ""}` }, text, more, " ",
      doing?.undoable && !bad ? h("button", { onclick: undo }, h("kbd", {}, "u"), " undo") : null));
    clearTimeout(said.timer);
    said.timer = setTimeout(() => put(said), bad ? 30_000 : GRACE_MS + 2_000);
  }
  return {
    actions,
    /** Whether this alert is one whose change waits: what the server says of it is older. */
    holds: (alert) => Boolean(doing?.alerts.includes(alert)),
    keys(pressed) {
      if (pressed === "u") { undo(); return true; }
      const found = of.acts.find(([key]) => key === pressed);
      if (!found || !list().chosen) return false;
      act(found[1]);
      return true;
    },
    leave() { doing?.end(); },
  };
}
