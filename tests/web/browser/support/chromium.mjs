// The browser: Debian's Chromium, driven by the playwright-core that tests/run has put below target/.

import { createRequire } from "node:module";

const require = createRequire(new URL("../../../../target/web-tools/package.json", import.meta.url));
const { chromium } = require("playwright-core");

/** The source of axe, which is run inside of pages. */
export const axeFile = require.resolve("axe-core/axe.min.js");

/** Starts a browser of its own; `TANDEM_TEST_CHROMIUM` names another program. */
export function launch() {
  const executablePath = process.env.TANDEM_TEST_CHROMIUM ?? "/usr/bin/chromium";
  // Without a sandbox, because tests may run as root in a container; every page is one of ours.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
