// A proxy in front of the server, behind which the page can be replaced by its next version.

import { createHash } from "node:crypto";
import http from "node:http";
import net from "node:net";

import { url } from "../../support/live.mjs";

/** See the module. */
export class NextVersion {
  #server;
  #page = null;

  static async open() {
    const proxy = new NextVersion();
    proxy.#server = http.createServer((request, response) => void proxy.#answer(request, response));
    proxy.#server.on("upgrade", (request, near, head) => proxy.#upgrade(request, near, head));
    await new Promise((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  /** From here on the page is another one: its first element says so. */
  async replaceThePage() {
    const page = await (await fetch(`${url}/`)).text();
    this.#page = page.replace("<html", '<html data-next=""');
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, response) {
    const headers = { ...request.headers };
    // Two names for one page; neither may be told that it has not changed.
    if (this.#page) delete headers["if-none-match"];
    const chunks = await request.toArray();
    const body = request.method === "GET" ? undefined : Buffer.concat(chunks);
    delete headers["accept-encoding"];
    const forwarded = http.request(url + request.url, { method: request.method, headers: { ...headers, "accept-encoding": "identity" } }, async (answer) => {
      const bytes = Buffer.concat(await answer.toArray());
      const [text, tag] = this.#changed(request.url, bytes);
      const told = { ...answer.headers };
      if (tag) told.etag = `"${tag}"`;
      if (answer.statusCode !== 304) told["content-length"] = text.length;
      delete told["transfer-encoding"];
      response.writeHead(answer.statusCode, told).end(text);
    });
    forwarded.on("error", () => response.destroy());
    forwarded.end(body);
  }

  #changed(path, bytes) {
    if (!this.#page) return [bytes, null];
    const hash = createHash("sha256").update(this.#page).digest("hex").slice(0, 16);
    if (path === "/" || path === "/index.html") return [Buffer.from(this.#page), hash];
    if (path !== "/shell.js") return [bytes, null];
    const shell = JSON.parse(bytes.toString().replace(/^self\.SHELL = /, "").replace(/;\n$/, ""));
    shell.files["index.html"] = hash;
    shell.version = hash;
    return [Buffer.from(`self.SHELL = ${JSON.stringify(shell)};\n`), hash];
  }

  #upgrade(request, near, head) {
    const { hostname, port } = new URL(url);
    const far = net.connect(Number(port), hostname, () => {
      const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      far.write(`GET ${request.url} HTTP/1.1\r\n${headers.join("")}\r\n`);
      far.write(head);
      far.pipe(near).pipe(far);
    });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  }
}
