// What a person does about alerts, through the API; and its undoing.
import { tell } from "./api.js";

const DAY = 86_400_000;
/** A label goes into the stream for good, so it waits: whoever undoes it meanwhile has sent nothing. */
export const GRACE_MS = 6_000;

/** The acts: how each is written, what it says, how the alert stands before the server has told. */
export const ACTS = {
  fraud: { said: "confirmed as fraud", waits: true, likely: { label: "fraud" },
    write: (key, seen) => tell("POST", `alerts/${key}/label`, { label: "fraud" }, seen) },
  clear: { said: "cleared", waits: true, likely: { label: "cleared" },
    write: (key, seen) => tell("POST", `alerts/${key}/label`, { label: "cleared" }, seen) },
  snooze: { said: "snoozed for 24 h", back: (key, before, seen) => snooze(key, before.snoozed_until, seen),
    write: (key, seen) => snooze(key, Date.now() + DAY, seen) },
  repaired: { said: "closed", back: (key, before, seen) => tell("POST", `alerts/${key}/reopen`, {}, seen),
    write: (key, seen) => tell("POST", `alerts/${key}/close`, {}, seen) },
  note: { said: "noted", write: (key, seen, text) => tell("POST", `alerts/${key}/comments`, { text }, seen) },
  assign: { said: "handed over", back: (key, before, seen) => assign(key, before.assignee, seen),
    write: (key, seen, to) => assign(key, to, seen) },
};
const snooze = (key, until, seen) => tell("PUT", `alerts/${key}/snooze`, { until }, seen);
const assign = (key, to, seen) => tell("PUT", `alerts/${key}/assignee`, { to }, seen);

const NOTHING = { version: 0, status: "open", assignee: "", snoozed_until: 0, label: "", acts: [] };
const version = (alert) => alert.work?.version ?? 0;

/** One thing that was done to alerts: `end()` carries out what waits, `undo()` takes it back. */
export class Doing {
  constructor(name, alerts, text, told) {
    this.name = name;
    this.alerts = alerts;
    this.said = ACTS[name].said;
    this._before = alerts.map((a) => a.work ?? null);
    this._text = text;
    this._told = told;
    this._timer = null;
  }

  /** Write it, at once or after the grace. Throws Refused; status 412: somebody was quicker. */
  async start() {
    if (!ACTS[this.name].waits) return this._write();
    for (const alert of this.alerts) alert.work = { ...NOTHING, ...alert.work, ...ACTS[this.name].likely };
    this._timer = setTimeout(() => this.end(), GRACE_MS);
  }

  /** Whether it waits still. */
  get waits() {
    return this._timer !== null;
  }

  get undoable() {
    return this.waits || Boolean(ACTS[this.name].back);
  }

  /** Carry out what waits. */
  end() {
    if (!this.waits) return;
    clearTimeout(this._timer);
    this._timer = null;
    this.alerts.forEach((alert, i) => { alert.work = this._before[i]; });
    this._write().then(() => this._told(null), (error) => this._told(error));
  }

  async _write() {
    for (const alert of this.alerts) {
      try {
        alert.work = await ACTS[this.name].write(alert.key, version(alert), this._text);
      } catch (error) {
        if (error.told?.work) alert.work = error.told.work;
        throw error;
      }
    }
  }

  /** Take it back. Throws Refused. */
  async undo() {
    if (this.waits) {
      clearTimeout(this._timer);
      this._timer = null;
      this.alerts.forEach((alert, i) => { alert.work = this._before[i]; });
      return;
    }
    for (const [i, alert] of this.alerts.entries()) {
      alert.work = await ACTS[this.name].back(alert.key, this._before[i] ?? NOTHING, version(alert));
    }
  }
}
