// What somebody has chosen: kept in this browser.

const KEY = "relay-settings";
const DEFAULTS = { theme: "", times: "UTC", keys: true, done: [] };

export const settings = { ...DEFAULTS, ...kept() };

/** Changes settings, and keeps them. */
export function choose(changes) {
  Object.assign(settings, changes);
  document.documentElement.dataset.theme = settings.theme;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing forgets them with the tab.
  }
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}
