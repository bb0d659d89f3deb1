// A picture or a document that belongs to a message, fetched with the token of this device.

import { Dialog, openDialog } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { bytes } from "../core/format.js";
import { blob } from "../state/api.js";
import { tellError } from "../state/toasts.js";
import { html, useEffect, useState } from "../ui.js";

/** @param {{block: any}} props an `image` block */
export function BlobPicture({ block }) {
  const { source = {} } = block;
  const inline = source.type === "base64" && /^image\/(png|jpeg|gif|webp)$/.test(source.media_type) ? `data:${source.media_type};base64,${source.data}` : null;
  const [url, setUrl] = useState(inline);
  const [isGone, setGone] = useState(false);
  useEffect(() => {
    if (inline || !source.sha256) return undefined;
    /** @type {string | null} */
    let made = null;
    let isWanted = true;
    blob(source.sha256).then(
      (data) => {
        if (!isWanted) return;
        made = URL.createObjectURL(data);
        setUrl(made);
      },
      () => isWanted && setGone(true),
    );
    return () => {
      isWanted = false;
      if (made) URL.revokeObjectURL(made);
    };
  }, [source.sha256]);
  if (isGone || (!url && !source.sha256)) return html`<span class="file"><${Icon} name="image" />The picture is not there</span>`;
  if (!url) return html`<span class="picture is-loading" role="status"><span class="only-heard">Loading a picture</span></span>`;
  const show = () => openDialog(() => html`<${Dialog} title="Picture" isWide><img class="picture-whole" src=${url} alt="Attached picture" /><//>`);
  return html`<button type="button" class="picture" onClick=${show} aria-label="Show the picture"><img src=${url} alt="Attached picture" /></button>`;
}

/** @param {{block: any}} props a `document` block */
export function BlobFile({ block }) {
  const { title, source = {} } = block;
  const name = title || "File";
  const onClick = async () => {
    try {
      const data = source.sha256 ? await blob(source.sha256) : new Blob([source.data ?? ""], { type: "text/plain" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(data);
      link.download = name;
      link.click();
      URL.revokeObjectURL(link.href);
    } catch (error) {
      tellError(error);
    }
  };
  return html`<button type="button" class="file" onClick=${onClick}>
    <${Icon} name="file-text" /><span>${name}</span>${source.bytes && html`<small>${bytes(source.bytes)}</small>`}</button>`;
}
