/**
 * Sorts more lines than fit in SQLite's caches, and prints how many came out in order, or what it met. A
 * program of its own, to be run without any permission.
 */
import { ExternalSort } from "../../../src/storage/admin/external_sort.ts";

try {
  const sort = new ExternalSort();
  for (let i = 0; i < 150_000; i++) {
    sort.add(`${String((i * 7919) % 150_000).padStart(6, "0")} ${"x".repeat(120)}`);
  }
  let inOrder = 0;
  for (const line of sort.sorted()) {
    if (Number(line.slice(0, 6)) === inOrder) inOrder++;
  }
  console.log(inOrder);
} catch (error) {
  console.log(String(error));
}
