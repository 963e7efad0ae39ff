// Try it: what is seen here, and what to break. Each try ends with what became of it.
import { ask, tell } from "../api.js";
import { h, put } from "../dom.js";
import { count, ms, outcome, score, zoned } from "../format.js";
import { place } from "./alerts.js";

const LOOK_MS = 400, PATIENCE_MS = 60_000;
const code = (text) => h("code", {}, text);

export async function tour(root) {
  root.classList.add("reading");
  const payment = h("div"), broken = h("div"), pushed = h("div"), proof = h("p", { class: "small" });
  const [settings, components, inForce] = await Promise.all(["settings", "components", "rules"].map((what) => ask(what).catch(() => null)));
  const demo = settings?.some((s) => s.key === "kafka.client" && s.value === "memory");
  const task = components?.find((c) => c.domain === "fraud" && c.component === "decide");
  put(root, h("h1", {}, "Try it"),
    h("p", {}, "Payments and machine readings come in by Kafka; each is decided once, with its reasons, and the ledger proves that none is lost. Try to break that:"),
    step(1, "Send a payment of your own", "A large first payment of somebody new is sent to review, 20.00 is approved; many within an hour are not.", form(), payment),
    step(2, "Send a broken one", "It is set aside with the reason, and kept whole: nothing disappears.", brokenForm(), broken),
    step(3, "Kill a bolt, and watch nothing be lost", h("span", {}, demo ? ["In another terminal: ", code(`kill -USR2 ${task?.pid ?? "PID"}`), " ends the bolt that decides. Another is started"]
      : ["With ", code("./stormwatch run --topology fraud"), " going, end the process of a bolt: ", code(`kill -9 ${task?.pid ?? "PID"}`), task ? ` on ${task.host} is one that decides` : "", " (", h("a", { href: "#operations" }, "Operations"), " has them all). Storm starts another"],
    "; the batch in hand is read again, and the ledger counts each offset once:"), proof),
    step(4, "Change a threshold", h("span", {}, "Make a rule stricter and push it while all goes on; ", h("a", { href: "#rules" }, "Rules and models"), " shows what is in force.",
      demo ? null : [" In a terminal: ", code("./stormwatch rules pull my-rules.toml"), ", ", code('./stormwatch rules push my-rules.toml --reason "trying it"'), "; ", code("./stormwatch rules history"), " says who changed them."]), inForce ? rulesForm(inForce.text) : null, pushed));


  function step(number, title, text, ...rest) {
    return h("section", { class: "step" }, h("h2", {}, `${number}  ${title}`), h("p", {}, text), rest);
  }
  function field(name, label, value, attributes = {}) {
    return h("label", {}, `${label} `, h("input", { name, value, required: true, ...attributes }));
  }
  function form() {
    return h("form", { class: "own", onsubmit: async (event) => {
      event.preventDefault();
      const given = new FormData(event.target);
      const time = await stamp();
      const record = { type: "transaction", id: `own-${Date.now().toString(36)}`, customer: given.get("customer"), terminal: given.get("terminal"),
        time: new Date(time).toISOString(), amount: Math.round(100 * Number(given.get("amount"))), currency: given.get("currency"), merchant: given.get("merchant") };
      await follow(payment, "fraud", JSON.stringify(record));
    } }, field("customer", "customer", "me", { maxlength: 64 }), field("amount", "amount", "1499.00", { type: "number", step: "0.01", min: "0.01" }),
    field("currency", "currency", "EUR", { maxlength: 3, size: 4 }), field("merchant", "at", "Kiosk Süd", { maxlength: 100 }), field("terminal", "terminal", "T0000001", { maxlength: 64 }), h("button", {}, "Send it"));
  }
  function brokenForm() {
    const text = h("textarea", { rows: 2, "aria-label": "The broken record" }, '{"type": "transaction", "id": "broken-1", "customer": "C0000001", "amount": -5, "currency": "EURO", "note": "<script>alert(1)</script>"}');
    return h("form", { class: "own", onsubmit: async (event) => {
      event.preventDefault();
      await follow(broken, "fraud", text.value);
    } }, text, h("button", {}, "Send it"));
  }
  function rulesForm(rules) {
    const text = h("textarea", { rows: 10, "aria-label": "The rules of fraud" }, rules);
    return h("form", { class: "own", onsubmit: async (event) => {
      event.preventDefault();
      put(pushed, h("p", { class: "quiet" }, "Pushing"));
      try {
        const { revision } = await tell("POST", "rules", { text: text.value, reason: "tried on the page" });
        put(pushed, h("p", { class: "notice" }, `In force as revision ${count(revision)}: running tasks take it within seconds. `, h("a", { href: "#rules/fraud" }, "Watch its hits")));
        text.value = (await ask("rules")).text;
      } catch (error) {
        put(pushed, h("p", { class: "notice broken" }, error.message));
      }
    } }, text, h("button", {}, "Push it"));
  }
  return {
    part(name, state) {
      if (name !== "ledgers") return;
      const known = state.ledgers.filter((l) => l.in_flight || Object.values(l.states).some(Boolean));
      put(proof, known.length ? known.map((l) => h("span", { class: "proof" }, h("b", {}, l.topic), ` ${count(Object.values(l.states).reduce((a, b) => a + b, 0))} decided, ${count(l.in_flight)} in flight, `,
        h("span", { class: l.unaccounted ? "word broken" : "word" }, `${count(l.unaccounted)} lost`))) : "Nothing came yet.");
    },
  };
}

// The stream's own time: a demo's days pass in seconds, and what came out of its order would be late.
async function stamp() {
  const told = await ask("decided", { domain: "fraud", limit: 20 }).catch(() => null);
  const newest = told?.decisions.length ? Math.max(...told.decisions.map((d) => d.time)) : Date.now();
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
