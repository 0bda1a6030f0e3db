/** What was promised, or null if it takes longer than so many milliseconds. Then nobody hears what becomes of it. */
export async function within<T>(ms: number, answer: Promise<T>): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}
