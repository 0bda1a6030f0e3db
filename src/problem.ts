/** Answers over HTTP that say what is wrong and what to do about it: problem documents (RFC 9457). */

/** What a client can do about a problem follows from its type. */
export class Problem extends Error {
  override readonly name = "Problem";
  constructor(
    readonly status: number,
    /** `urn:omoide:` and a word, or a type that is registered. */
    readonly type: string,
    readonly title: string,
    /** What to do. */
    detail: string,
    readonly more: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly fields?: Readonly<Record<string, unknown>>;
    } = {},
  ) {
    super(detail);
  }

  toResponse(): Response {
    const { status, type, title, message: detail } = this;
    return new Response(
      JSON.stringify({ type, title, status, detail, ...this.more.fields }) + "\n",
      {
        status,
        headers: { "content-type": "application/problem+json", ...this.more.headers },
      },
    );
  }
}

export function problem(
  status: number,
  word: string,
  title: string,
  detail: string,
  headers: Record<string, string> = {},
): Problem {
  return new Problem(status, `urn:omoide:${word}`, title, detail, { headers });
}
