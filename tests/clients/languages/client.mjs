// Fetches a URL with fetch, or with the module https if asked to. Prints the status, the body's digest and the body.
import { createHash } from "node:crypto";
import https from "node:https";

const headers = { accept: "application/vnd.oci.image.manifest.v1+json, */*" };

const libraries = {
  async fetch(url) {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
    return [answer.status, Buffer.from(await answer.arrayBuffer())];
  },

  https(url) {
    return new Promise((resolve, reject) => {
      const request = https.get(url, { headers, timeout: 30_000 }, async (answer) => {
        const chunks = await answer.toArray();
        resolve([answer.statusCode, Buffer.concat(chunks)]);
      });
      request.on("error", reject);
      request.on("timeout", () => request.destroy(new Error("no answer")));
    });
  },
};

const [library, url] = process.argv.slice(2);
const [status, body] = await libraries[library](url);
console.log(status, `sha256:${createHash("sha256").update(body).digest("hex")}`);
console.log(body.toString());
