// Light, dark, or what the system says. Loaded before anything is drawn.

const KEY = "sentient.theme";
const THEMES = ["auto", "light", "dark"];

export function readTheme() {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.includes(kept) ? kept : "auto";
  } catch {
    return "auto";
  }
}

function applyTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

/** The next theme of the round, applied and kept. */
export function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(readTheme()) + 1) % THEMES.length];
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // it lasts as long as the page
  }
  applyTheme(theme);
  return theme;
}

applyTheme(readTheme());
