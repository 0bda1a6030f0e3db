import type { ItemName } from "../inbox/application/items.ts";
import type { Description } from "../inbox/application/submit.ts";
import { isExt, isMediaType, MEDIA_TYPES } from "../media.ts";
import { ownUuid, uuidOf } from "./auth.ts";
import type { OwnRequest } from "./gateway.ts";
import { fileNameHeader, lastModifiedHeader } from "./headers.ts";
import { problem } from "./problem.ts";

/** What a path says about a file. @throws {Problem} 400 if it is not a file's, 403 if it is another owner's */
export function describe({ groups, ownerUuid }: OwnRequest): Description {
  const owner = ownUuid(groups["owner"], ownerUuid);
  const itemUuid = uuidOf(groups["item"], "item");
  const [mediaType = "", ext = "", ...rest] = (groups["file"] ?? "").split(".");
  if (!isMediaType(mediaType) || !isExt(ext) || rest.length > 0) {
    throw problem(
      ...[400, "path", "The file's name is not valid"] as const,
      `It is ${
        MEDIA_TYPES.join(", ")
      }, then a dot and 1 to 16 letters or digits, as in content.jpg.`,
    );
  }
  return { ownerUuid: owner, itemUuid, mediaType, ext };
}

/** What the sender calls the item; null for a preview, which is made by the page. */
export function nameOf(
  { itemUuid, mediaType, ext }: Description,
  { headers }: Request,
): ItemName | null {
  if (mediaType !== "content") return null;
  return {
    fileName: fileNameHeader(headers) ?? `${itemUuid}.${ext}`,
    lastModified: lastModifiedHeader(headers),
  };
}
