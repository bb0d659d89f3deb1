// Whether the list and a view fit beside each other; the style sheets ask the same.

import { signal } from "../ui.js";

const query = matchMedia("(min-width: 900px)");

export const isWide = signal(query.matches);

query.addEventListener("change", () => {
  isWide.value = query.matches;
});
