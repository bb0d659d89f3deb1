// Runs before the first paint, so that nobody who has chosen dark sees a white page flash by.

try {
  const theme = JSON.parse(localStorage.getItem("tandem-app/theme") ?? "null");
  if (theme === "light" || theme === "dark") document.documentElement.classList.add(`is-${theme}`);
} catch {
  // Nothing is kept here: the system's own choice is right.
}
