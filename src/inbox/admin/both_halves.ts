/**
 * A query over media by owner and item, said for each half of them: those that hold their public name and those
 * that do not are each in an index of their own, which one condition over both would not use.
 *
 * @param media what the query calls the table
 * @param query is given the condition of its half
 */
export function ofBothHalves(media: string, query: (half: string) => string): string {
  return [`${media}.holds_name`, `NOT ${media}.holds_name`].map(query).join(" UNION ALL ");
}
