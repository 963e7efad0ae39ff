// Data quality: what was not decided, and why; the ledger that says nothing is lost.
import { ask } from "../api.js";
import { h, put } from "../dom.js";
import { count, moment } from "../format.js";

export function quality(domain) {
  return async (root, page) => {
    const domains = page.streams.map((s) => s.domain);
    const shown = domains.includes(domain) ? domain : domains[0];
    const proof = h("div");
    const told = await ask("set-aside", { domain: shown, limit: 100 });
    put(root,
      h("section", {}, h("h2", {}, "Ledger: each offset of a topic has exactly one end state"), proof),
      h("section", {}, h("h2", {}, "Set aside"),
        h("p", {}, domains.map((d) => [h("a", { href: `#quality/${d}`, "aria-current": d === shown ? "true" : null }, d), "  "])),
        told.records.length ? table(told.records)
          : h("p", { class: "notice" }, `Nothing of ${shown} was set aside: every record was decided.`)));
    return {
      part(name, state) {
        if (name === "ledgers") put(proof, ledgers(state.ledgers));
      },
    };
  };
}

function ledgers(all) {
  if (!all.length) return h("p", { class: "notice" }, "No topic exists yet.");
  return h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, "topic"), h("th", {}, "end states"),
      h("th", { class: "number" }, "in flight"), h("th", { class: "number" }, "without one"), h("th", {}, ""))),
    h("tbody", {}, all.map((l) => h("tr", {}, h("td", {}, l.topic),
      h("td", {}, Object.entries(l.states).filter(([, n]) => n).map(([s, n]) => `${s.replaceAll("_", " ")} ${count(n)}`).join(", ") || "none"),
      h("td", { class: "number" }, count(l.in_flight)), h("td", { class: "number" }, count(l.unaccounted)),
      h("td", {}, l.sound ? "sound" : h("span", { class: "word broken" }, "not sound"))))));
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
