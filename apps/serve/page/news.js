// News for a list of alerts. The stream tells of the newest alone: what came between is asked for.
import { ask } from "./api.js";

/** Alerts that a list keeps; older ones leave. */
export const KEEP = 5_000;
const LIMIT = 500, PAGES = 4;

/** What an alert is known by. */
export const same = (a) => `${a.entity}\n${a.time}\n${a.id}`;

/** A function of (alerts of the stream, those known by `same`): what is new of this domain, newest first. */
export function newsOf(domain, parameters) {
  let asking = false;
  return async (told, known) => {
    const mine = told.filter((a) => a.domain === domain);
    const fresh = mine.filter((a) => !known.has(same(a)));
    if (!fresh.length || fresh.length < mine.length) return fresh;
    if (asking) return [];
    asking = true; // none is known: others may have come before them
    try {
      const found = [];
      let after = {};
      for (let page = 0; page < PAGES; page++) {
        const older = await ask("alerts", { domain, limit: LIMIT, ...parameters, ...after });
        const some = older.decisions.filter((a) => !known.has(same(a)));
        found.push(...some);
        if (some.length < older.decisions.length || !older.next) break;
        after = { after: older.next };
      }
      return found;
    } catch {
      return []; // the next part asks again
    } finally {
      asking = false;
    }
  };
}
