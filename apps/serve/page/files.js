// Files that a person takes along: CSV that a spreadsheet may open, and a calendar (RFC 5545).

/** Let the reader save a text. */
export function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Rows as CSV (RFC 4180). What a spreadsheet would take for a formula begins with an apostrophe. */
export function csv(rows) {
  const cell = (value) => {
    let text = value === null || value === undefined ? "" : String(value);
    if (typeof value !== "number" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Events as a calendar: [{uid, from, to (ms), title, text}]. */
export function calendar(events, now) {
  const stamp = (time) => new Date(time).toISOString().replace(/[-:]|\.\d+/g, "");
  const told = (text) => text.replace(/[\\;,]/g, "\\$&").replace(/\r?\n/g, "\\n");
  const lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Stormwatch//Machines//EN"];
  for (const e of events) {
    lines.push("BEGIN:VEVENT", `UID:${told(e.uid)}`, `DTSTAMP:${stamp(now)}`, `DTSTART:${stamp(e.from)}`, `DTEND:${stamp(e.to)}`,
      `SUMMARY:${told(e.title)}`, `DESCRIPTION:${told(e.text)}`, "END:VEVENT");
  }
  return [...lines, "END:VCALENDAR"].map(folded).join("\r\n") + "\r\n";
}

// At most 75 octets a line; what follows begins with a space.
function folded(line) {
  const encoder = new TextEncoder();
  let out = "", room = 75;
  for (const sign of line) {
    const size = encoder.encode(sign).length;
    if (size > room) {
      out += "\r\n ";
      room = 74;
    }
    out += sign;
    room -= size;
  }
  return out;
}
