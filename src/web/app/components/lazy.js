// Shows a component of a module that is loaded when it is wanted.

import { html, useEffect, useErrorBoundary, useState } from "../ui.js";
import { Button } from "./button.js";
import { Empty, Loading } from "./empty.js";

/** @param {{load: () => Promise<{default: any}>, props: any, title: string}} props */
export function Lazy({ load, props, title }) {
  /** @type {[any, (found: any) => void]} */
  const [found, setFound] = useState(null);
  const [broken] = useErrorBoundary((error) => console.error(error));
  useEffect(() => {
    let isWanted = true;
    load().then(
      (module) => isWanted && setFound({ View: module.default }),
      (error) => isWanted && setFound({ error }),
    );
    return () => {
      isWanted = false;
    };
  }, [load]);
  const error = broken ?? found?.error;
  if (error) return html`<${Broken} title=${title} error=${error} />`;
  return found ? html`<${found.View} ...${props} />` : html`<div class="page"><${Loading} /></div>`;
}

/** @param {{title: string, error: any}} props */
function Broken({ title, error }) {
  const actions = html`<${Button} look="main" icon="refresh-cw" onClick=${() => location.reload()}>Load the page again<//>`;
  return html`<${Empty} icon="triangle-alert" heading=${`${title} cannot be shown`} actions=${actions}>
    <p>${String(error?.message ?? error)}</p>
  <//>`;
}
