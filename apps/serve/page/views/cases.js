// Alerts of one entity that are at most 24 h apart are one case: one thing to decide. Pure.

const DAY = 86_400_000;

/** Cases of alerts, in no order. A case: {entity, alerts (newest event first), worst, newest}. */
export function cases(alerts) {
  const entities = Map.groupBy ? Map.groupBy(alerts, (a) => a.entity) : grouped(alerts);
  const made = [];
  for (const [entity, own] of entities) {
    let last = null;
    for (const alert of [...own].sort((a, b) => b.time - a.time)) {
      if (last && last.alerts.at(-1).time - alert.time <= DAY) last.alerts.push(alert);
      else made.push((last = { entity, alerts: [alert] }));
    }
  }
  for (const one of made) {
    one.worst = one.alerts.reduce((a, b) => (b.score > a.score ? b : a));
    one.newest = Math.max(...one.alerts.map((a) => a.timestamp));
    one.oldest = Math.min(...one.alerts.map((a) => a.timestamp));
    one.key = one.worst.key ?? `${one.worst.time}/${one.worst.id}`;
  }
  return made;
}

function grouped(alerts) {
  const by = new Map();
  for (const alert of alerts) by.set(alert.entity, [...(by.get(alert.entity) ?? []), alert]);
  return by;
}

/** What an alert needs: "open", "snoozed" or "done". */
export function standing(alert, now) {
  const work = alert.work;
  if (!work) return "open";
  if (work.label || work.status === "closed") return "done";
  return work.snoozed_until > now ? "snoozed" : "open";
}

/** A case is open while one of its alerts is. */
export function caseStanding(one, now) {
  const all = one.alerts.map((a) => standing(a, now));
  return all.includes("open") ? "open" : all.includes("snoozed") ? "snoozed" : "done";
}

export const ORDERS = {
  worst: (a, b) => b.worst.score - a.worst.score || a.oldest - b.oldest,
  newest: (a, b) => b.newest - a.newest,
  oldest: (a, b) => a.oldest - b.oldest,
};
