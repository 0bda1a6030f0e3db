/** A site's file from scripts/deploy/nginx with what an administrator changes in it. */
export interface SiteChanges {
  readonly file: "omoide.conf" | "omoide-gateway.conf";
  /** The hot storage's root. */
  readonly root: string;
  /** Of the application, at 127.0.0.1. */
  readonly applicationPort: number;
  /** Of NGINX, at 127.0.0.1. */
  readonly port: number;
  /** Whether what omoide.conf has prepared is used: NGINX asks the application who is signed in. */
  readonly asksWho?: boolean;
  /** Whether the lines for TLS are used: files in PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

/** @throws where what is marked CHANGE is no longer there to change */
export async function editedSite(changes: SiteChanges): Promise<string> {
  const edits: [string, string][] = [
    ["server 127.0.0.1:8080;", `server 127.0.0.1:${changes.applicationPort};`],
    ["listen 80;", `listen 127.0.0.1:${changes.port};`],
    ["root /srv/omoide/hot;", `root ${changes.root};`],
  ];
  const path = new URL(`../deploy/nginx/${changes.file}`, import.meta.url);
  let text = await Deno.readTextFile(path);
  for (const [from, to] of edits) {
    if (text.split(from).length !== 2) {
      throw new Error(`${changes.file} does not have "${from}" once`);
    }
    text = text.replace(from, to);
  }
  if (changes.tls !== undefined) text = withTls(text, changes.tls, changes.port);
  return changes.asksWho === true ? asking(text) : text;
}

/** Takes the `#` away from the three lines about TLS. */
function withTls(text: string, tls: { certificate: string; key: string }, port: number): string {
  let lines = 0;
  const used = text.replace(
    /^( *)# (ssl_.*;)$/gm,
    (_, space, line) => {
      lines += 1;
      return space + line;
    },
  );
  if (lines !== 3) throw new Error(`the site's file has ${lines} lines about TLS, not 3`);
  return used.replace(/(ssl_certificate +)\S+;/, `$1${tls.certificate};`)
    .replace(/(ssl_certificate_key +)\S+;/, `$1${tls.key};`)
    .replace(`listen 127.0.0.1:${port};`, `listen 127.0.0.1:${port} ssl;`);
}

/** Takes the `#` away from the location that asks, and from both places that use it. */
function asking(text: string): string {
  const asks = text.replace(
    /^( *)#(auth_request|location = \/signed-in| {4}\w|\})/gm,
    "$1$2",
  );
  if (asks.match(/^ *auth_request \/signed-in;$/gm)?.length !== 2) {
    throw new Error("omoide.conf does not ask in two places who is signed in");
  }
  return asks;
}

/** A whole configuration around a site. @param user as `user` takes it; null where NGINX is not root */
export function nginxConfiguration(directory: string, user: string | null): string {
  return `daemon off; master_process on; worker_processes 1;
    ${user === null ? "" : `user ${user};`} pid ${directory}/pid; error_log ${directory}/error.log;
    events {}
    http {
      access_log off;
      client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
      fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
      include ${directory}/site.conf;
    }`;
}
