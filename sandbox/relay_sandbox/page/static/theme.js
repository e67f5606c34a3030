// Before anything is drawn, so that a dark page never flashes white. Not a module for that reason.
try {
  const kept = JSON.parse(localStorage.getItem("relay-settings") ?? "{}");
  if (kept.theme) document.documentElement.dataset.theme = kept.theme;
} catch {
  // Without a store, or with something else in it, the system's scheme it is.
}
