// Recommendations: what a user is shown, and why each of it.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { age, many, moment } from "../format.js";
import { place, provenance } from "./alerts.js";
import { pane } from "./pane.js";
import { recordOf } from "./why.js";

const EVERY_MS = 5_000;

export async function recommendations(root) {
  let told = await ask("fleet", { domain: "recommend" }), list = null, gone = false;
  const users = () => told.machines.map((m) => m.decision).sort((a, b) => b.timestamp - a.timestamp);
  root.classList.add("named");
  list = pane(root, {
    title: "Users", key: (d) => d.entity, place, items: users, words: (d) => `${d.entity} ${d.outcome}`,
    head: () => [h("h1", {}, "Recommendations"), h("p", { class: "figures" }, h("span", { class: "large" }, many(told.machines.length, "user")), " ",
      h("span", { class: "quiet" }, told.whole ? "the newest list of each" : "the first that were found: search for another below"))],
    empty: () => h("p", { class: "notice" }, "Nobody has a list yet. Start ", h("code", {}, "./stormwatch demo"), " or ", h("code", {}, "./stormwatch run --topology recommend"), "."),
    row: (d) => [h("span", { class: "who" }, d.entity), h("span", {}, d.outcome === "popular" ? "what is popular" : many(d.reasons.length, "item")), h("span", { class: "number quiet" }, age(Date.now() - d.timestamp)),
      h("span", { class: "why quiet" }, d.reasons.map((r) => r.code).join(", "))],
    newer: () => 0, take() {}, open: detail,
  });
  async function detail(d, side) {
    const { domain, entity, time, id } = d;
    const whole = await ask("decision", { domain, entity, time, id });
    put(side, h("h1", {}, entity), h("p", { class: "figures" }, h("span", { class: "large" }, many(whole.decision.reasons.length, "item")), " ",
      h("span", { class: "quiet" }, whole.decision.outcome === "popular" ? "what is popular: nothing is known of this user's taste · " : "from what this user looked at and bought · ", "as of ", moment(d.time))),
    h("ol", { class: "items", "aria-label": `What ${entity} is shown` }, whole.decision.reasons.map((r) => h("li", {}, h("b", {}, r.code), " ", h("span", { class: "quiet" }, r.text)))),
    recordOf(whole, provenance(whole)));
  }
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const fresh = await ask("fleet", { domain: "recommend" }).catch(() => null);
    if (!fresh || gone || list.held || list.chosen) return;
    told = fresh;
    list.draw();
  }, EVERY_MS);
  list.draw();
  setTimeout(() => list.openFirst());
  return { keys: (pressed) => list.keys(pressed), leave() { gone = true; clearInterval(timer); } };
}
