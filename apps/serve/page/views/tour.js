// Try it: what is seen here, and what to break. Each try ends with what became of it.
import { ask, tell } from "../api.js";
import { h, put } from "../dom.js";
import { count, ms, outcome, score, zoned } from "../format.js";
import { place } from "./alerts.js";

const LOOK_MS = 400, PATIENCE_MS = 60_000;
const code = (text) => h("code", {}, text);

export async function tour(root, page) {
  root.classList.add("reading");
  const customer = (page.parts.alerts?.alerts ?? []).find((a) => a.domain === "fraud");
  const payment = h("div"), broken = h("div"), proof = h("p", { class: "small" });
  put(root, h("h1", {}, "Try it"),
    h("p", {}, "Payments and machine readings come in by Kafka; each is decided once, with its reasons, and the ledger proves that none is lost. Try to break that:"),
    step(1, "Send a payment of your own", "An ordinary amount is approved; a large one, or many in a minute, is not.", form(customer), payment),
    step(2, "Send a broken one", "It is set aside with the reason, and kept whole: nothing disappears.", brokenForm(), broken),
    step(3, "Kill a bolt, and watch nothing be lost", h("span", {}, "With ", code("./stormwatch run fraud"), " going, end one of its processes: ", code("kill -9 PID"), " with a process of ", h("a", { href: "#operations" }, "Operations"), ". Storm starts another; the batch in hand is read again, and the ledger counts each offset once:"), proof),
    step(4, "Change a threshold", h("span", {}, "Copy the rules (", code("./stormwatch rules show > my-rules.toml"), "), make one stricter, and ask what it would have done: ", code("./stormwatch rules backtest my-rules.toml"), ". Then push it while all goes on: ", code("./stormwatch rules push my-rules.toml"), ". ", h("a", { href: "#rules" }, "Rules and models"), " shows what is in force.")));

  function step(number, title, text, ...rest) {
    return h("section", { class: "step" }, h("h2", {}, `${number}  ${title}`), h("p", {}, text), rest);
  }
  function field(name, label, value, attributes = {}) {
    return h("label", {}, `${label} `, h("input", { name, value, required: true, ...attributes }));
  }
  function form(known) {
    return h("form", { class: "own", onsubmit: async (event) => {
      event.preventDefault();
      const given = new FormData(event.target);
      const time = await stamp(given.get("customer"), page);
      const record = { type: "transaction", id: `own-${Date.now().toString(36)}`, customer: given.get("customer"), terminal: given.get("terminal"),
        time: new Date(time).toISOString(), amount: Math.round(100 * Number(given.get("amount"))), currency: given.get("currency"), merchant: given.get("merchant") };
      await follow(payment, "fraud", JSON.stringify(record));
    } }, field("customer", "customer", known?.entity ?? "C0000001", { maxlength: 64 }), field("amount", "amount", "1499.00", { type: "number", step: "0.01", min: "0.01" }),
    field("currency", "currency", "EUR", { maxlength: 3, size: 4 }), field("merchant", "at", "Kiosk Süd", { maxlength: 100 }), field("terminal", "terminal", "T0000001", { maxlength: 64 }), h("button", {}, "Send it"));
  }
  function brokenForm() {
    const text = h("textarea", { rows: 2, "aria-label": "The broken record" }, '{"type": "transaction", "id": "broken-1", "customer": "C0000001", "amount": -5, "currency": "EURO", "note": "<script>alert(1)</script>"}');
    return h("form", { class: "own", onsubmit: async (event) => {
      event.preventDefault();
      await follow(broken, "fraud", text.value);
    } }, text, h("button", {}, "Send it"));
  }
  return {
    part(name, state) {
      if (name !== "ledgers") return;
      put(proof, state.ledgers.length ? state.ledgers.map((l) => [h("b", {}, l.topic), `: ${count(Object.values(l.states).reduce((a, b) => a + b, 0))} decided, ${count(l.in_flight)} in flight, `,
        h("span", { class: l.unaccounted ? "word broken" : "word" }, `${count(l.unaccounted)} lost`), "  "]) : "No topic exists yet.");
    },
  };
}

// The stream's own time: a demo's days pass in seconds, and what came out of its order would be late.
async function stamp(customer, page) {
  const stream = (page.parts.alerts?.alerts ?? []).find((a) => a.domain === "fraud")?.time;
  const own = await ask("entity", { domain: "fraud", entity: customer, days: 1 }).catch(() => null);
  const newest = own?.newest ?? stream ?? Date.now();
  return Math.abs(Date.now() - newest) < 86_400_000 ? Date.now() : newest + 60_000;
}

// Send a record, and say what becomes of it.
async function follow(element, domain, text) {
  put(element, h("p", { class: "quiet" }, "Sending"));
  try {
    const { record } = await tell("POST", "payments", text);
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const told = await ask("record", { at: record });
      if (told.ledger.length) return put(element, became(record, told, domain));
      if (Date.now() > until) return put(element, h("p", { class: "notice person" }, `It is in Kafka (${record}) and waits: does the topology run? See Operations.`));
      put(element, h("p", { class: "quiet" }, `In Kafka at ${record}; not decided yet`));
      await new Promise((done) => setTimeout(done, LOOK_MS));
      if (!element.isConnected) return;
    }
  } catch (error) {
    put(element, h("p", { class: "notice broken" }, error.message));
  }
}

function became(record, told, domain) {
  const states = [...new Set(told.ledger.map((w) => w.state))];
  const where = [h("code", {}, record), ` · ${states.join(", ").replaceAll("_", " ")} · ${ms(Math.max(...told.ledger.map((w) => w.age)))} after it came`];
  if (told.set_aside.length) {
    const [a] = told.set_aside;
    return h("p", { class: "notice" }, h("b", {}, a.code), `: ${a.reason.split("\n").at(-1)} `, where, " ", h("a", { href: `#quality/${domain}/${a.code}` }, "the record is kept"));
  }
  if (!told.decisions.length) return h("p", { class: "notice" }, where);
  const [decision] = told.decisions;
  return h("div", { class: "notice" }, h("p", {}, outcome(decision.outcome, decision.alert), ` ${score(decision)} · `, where),
    h("ul", { class: "reasons" }, decision.reasons.map((r) => h("li", {}, zoned(r.text)))),
    h("p", {}, h("a", { href: place(decision) }, "all of it")));
}
