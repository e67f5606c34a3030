// The address holds the view: `#/events/order-1042?q=outcome:held`.

export const SCREENS = ["events", "try", "payments", "dead-letters", "faults", "identities", "dashboard"];

/** The view that an address means. */
export function parseAddress(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [screen, ...rest] = path.split("/");
  const wanted = new URLSearchParams(query);
  return {
    screen: SCREENS.includes(screen) ? screen : "events",
    id: rest.length ? decoded(rest.join("/")) : null,
    q: wanted.get("q") ?? "",
    from: wanted.get("from"),
  };
}

/** The address of a view. */
export function addressOf({ screen, id = null, q = "", from = null }) {
  const query = new URLSearchParams();
  if (q) query.set("q", q);
  if (from) query.set("from", from);
  const asked = query.toString().replaceAll("%3A", ":");
  return `#/${screen}${id === null ? "" : `/${encodeURIComponent(id)}`}${asked ? `?${asked}` : ""}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
