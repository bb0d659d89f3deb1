// A piece of code: its language, a button that copies it, and colours once they are there.

import { CopyButton } from "../components/copy-button.js";
import { html, useEffect, useState } from "../ui.js";
import { highlighted, languageOf } from "./highlight.js";

/** @param {{code: string, language?: string, isGrowing?: boolean, label?: string}} props */
export function CodeBlock({ code, language, isGrowing = false, label }) {
  return html`<figure class="code">
    <figcaption><span>${label ?? language ?? ""}</span><${CopyButton} text=${() => code} label="Copy the code" /></figcaption>
    <pre tabindex="0"><code><${Coloured} code=${code} language=${isGrowing ? undefined : languageOf(language)} /></code></pre>
  </figure>`;
}

/** Code without a frame. @param {{code: string, language?: string}} props `language` as the vendored ones are called */
export function Coloured({ code, language }) {
  /** @type {[any, (parts: any) => void]} */
  const [parts, setParts] = useState(null);
  useEffect(() => {
    setParts(null);
    if (!language) return undefined;
    let isWanted = true;
    void highlighted(code, language).then((found) => isWanted && setParts(found));
    return () => {
      isWanted = false;
    };
  }, [code, language]);
  return parts ?? code;
}
