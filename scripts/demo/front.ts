/** What stands before the gateway and serves the hot storage: NGINX where it is installed. */
import { join } from "node:path";
import { editedSite, nginxConfiguration } from "../lib/nginx_site.ts";
import { isStoredFile, serveFile } from "./serve_file.ts";
import { endProcess } from "../lib/end_process.ts";

export interface Front extends AsyncDisposable {
  readonly port: number;
  /** What it is, for people. */
  readonly name: string;
}

interface Behind {
  /** The hot storage's root. */
  readonly root: string;
  readonly gatewayPort: number;
  readonly port: number;
}

/** @param directory where NGINX keeps what it needs */
export async function startFront(behind: Behind, directory: string): Promise<Front> {
  return await hasNginx() ? await startNginx(behind, directory) : startOwn(behind);
}

async function hasNginx(): Promise<boolean> {
  try {
    return (await new Deno.Command("nginx", { args: ["-v"], stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

async function startNginx({ root, gatewayPort, port }: Behind, directory: string): Promise<Front> {
  await Deno.mkdir(directory);
  const file = "omoide-gateway.conf";
  const site = await editedSite({ file, root, applicationPort: gatewayPort, port });
  await Deno.writeTextFile(join(directory, "site.conf"), site);
  // The storage's directories are this user's alone.
  const configuration = nginxConfiguration(directory, Deno.uid() === 0 ? "root" : null);
  await Deno.writeTextFile(join(directory, "nginx.conf"), configuration);
  const process = new Deno.Command("nginx", {
    args: ["-c", join(directory, "nginx.conf"), "-e", join(directory, "error.log")],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return {
    port,
    name: "NGINX, with scripts/deploy/nginx/omoide-gateway.conf",
    async [Symbol.asyncDispose]() {
      await endProcess(process);
    },
  };
}

/** Does as the NGINX configuration does, for one person who tries it out. */
function startOwn({ root, gatewayPort, port }: Behind): Front {
  const gateway = `http://127.0.0.1:${gatewayPort}`;
  const handle = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    if (isStoredFile(pathname)) {
      if (!["GET", "HEAD"].includes(request.method)) return new Response(null, { status: 405 });
      const headers = new Headers({ "x-original-uri": pathname });
      for (const name of ["cookie", "authorization"]) {
        const value = request.headers.get(name);
        if (value !== null) headers.set(name, value);
      }
      const asked = await fetch(`${gateway}/auth`, { headers });
      await asked.body?.cancel();
      if (!asked.ok) return new Response(null, { status: asked.status });
      return await serveFile(root, pathname, request);
    }
    if (/^\/(?:content|preview|thumbnail|auth)(?:\/|$)/.test(pathname)) {
      return new Response(null, { status: 404 });
    }
    const { method, headers, body, signal } = request;
    const forwarded = new Headers(headers);
    forwarded.set("x-forwarded-host", headers.get("host") ?? "");
    return await fetch(`${gateway}${pathname}${search}`, {
      ...{ method, headers: forwarded, body, signal, redirect: "manual" },
    });
  };
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port,
    onListen: () => {},
    onError: () => new Response(null, { status: 502 }),
  }, handle);
  return {
    port: server.addr.port,
    name: "a small server of the demo's own, as NGINX is not installed",
    async [Symbol.asyncDispose]() {
      await server.shutdown();
    },
  };
}
