// What a person does about alerts, through the API; and its undoing.
import { tell } from "./api.js";

const DAY = 86_400_000;
/** A label goes into the stream for good, so it waits: whoever undoes it meanwhile has sent nothing. */
export const GRACE_MS = 6_000;

const snooze = (key, until, seen) => tell("PUT", `alerts/${key}/snooze`, { until }, seen);
const assign = (key, to, seen) => tell("PUT", `alerts/${key}/assignee`, { to }, seen);
const label = (key, kind, seen) => tell("POST", `alerts/${key}/label`, { label: kind }, seen);

/** The acts: how each is written, what it says, how the alert will likely stand, how it is undone. */
export const ACTS = {
  fraud: { said: "confirmed as fraud", waits: true, likely: () => ({ label: "fraud" }), write: (key, seen) => label(key, "fraud", seen) },
  clear: { said: "cleared", waits: true, likely: () => ({ label: "cleared" }), write: (key, seen) => label(key, "cleared", seen) },
  acknowledge: { said: "taken up", likely: () => ({ status: "acknowledged" }), write: (key, seen) => tell("POST", `alerts/${key}/acknowledge`, {}, seen),
    back: (key, before, seen) => tell("POST", `alerts/${key}/reopen`, {}, seen) },
  snooze: { said: "snoozed for 24 h", likely: () => ({ snoozed_until: Date.now() + DAY }),
    write: (key, seen) => snooze(key, Date.now() + DAY, seen), back: (key, before, seen) => snooze(key, before.snoozed_until, seen) },
  repaired: { said: "closed", likely: () => ({ status: "closed" }), write: (key, seen) => tell("POST", `alerts/${key}/close`, {}, seen),
    back: (key, before, seen) => tell("POST", `alerts/${key}/reopen`, {}, seen) },
  note: { said: "noted", likely: () => ({}), write: (key, seen, text) => tell("POST", `alerts/${key}/comments`, { text }, seen) },
  assign: { said: "handed over", likely: (to) => ({ assignee: to }), write: (key, seen, to) => assign(key, to, seen),
    back: (key, before, seen) => assign(key, before.assignee, seen) },
};

const NOTHING = { version: 0, status: "open", assignee: "", snoozed_until: 0, label: "", acts: [] };
const version = (alert) => alert.work?.version ?? 0;
let queue = Promise.resolve(); // one writes after the other: each sees the version that the last one left

/** One thing that was done to alerts. It shows at once; `told(error)` says how the writing ended. */
export class Doing {
  constructor(name, alerts, text, told) {
    Object.assign(this, { name, alerts, act: ACTS[name], _text: text, _told: told });
    this._before = alerts.map((a) => a.work ?? null);
    for (const alert of alerts) alert.work = { ...NOTHING, ...alert.work, ...this.act.likely(text) };
    this._timer = this.act.waits ? setTimeout(() => this.end(), GRACE_MS) : null;
    if (!this.act.waits) this._write();
  }

  /** Whether it waits still. */
  get waits() {
    return this._timer !== null;
  }

  get undoable() {
    return this.waits || Boolean(this.act.back);
  }

  /** Carry out what waits. */
  end() {
    if (!this.waits) return;
    clearTimeout(this._timer);
    this._timer = null;
    this._write();
  }

  _write() {
    this._each(async (alert) => {
      alert.work = await this.act.write(alert.key, version(alert), this._text);
    }).then(() => this._told(null), (error) => this._told(error));
  }

  /** Take it back. Throws Refused. */
  async undo() {
    if (this.waits) {
      clearTimeout(this._timer);
      this._timer = null;
      this.alerts.forEach((alert, i) => { alert.work = this._before[i]; });
      return;
    }
    await this._each(async (alert, i) => {
      alert.work = await this.act.back(alert.key, this._before[i] ?? NOTHING, version(alert));
    });
  }

  // Of each alert in its turn; what was not written stands as it was, or as the server says.
  _each(write) {
    const all = queue.then(async () => {
      let failed = null;
      for (const [i, alert] of this.alerts.entries()) {
        try {
          if (failed) throw failed;
          await write(alert, i);
        } catch (error) {
          alert.work = (error !== failed && error.told?.work) || this._before[i];
          failed ??= error;
        }
      }
      if (failed) throw failed;
    });
    queue = all.catch(() => null);
    return all;
  }
}
