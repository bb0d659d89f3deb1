// Whether the server has a newer version of this page than the one that is shown.

import { signal } from "../ui.js";

/** Has all windows load it; null where there is none. @type {import("../../vendor/signals/signals.js").Signal<(() => void) | null>} */
export const nextVersion = signal(null);
