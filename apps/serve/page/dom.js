// Elements are built, never parsed from text: what a record says cannot become markup.

/** An element: attributes, then children (text, elements, lists of them; null and false are left out). */
export function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  return filled(made, attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return filled(made, attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child !== null && child !== undefined && child !== false) made.append(child);
  }
  return made;
}

/** Put these into an element in place of what it holds. */
export function put(element, ...children) {
  element.replaceChildren(
    ...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false),
  );
}
