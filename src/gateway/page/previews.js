/**
 * Preview and thumbnail, made here so that no server ever decodes a picture. The file's own bytes are never
 * touched. What this browser cannot decode goes without, and is shown as an icon.
 */
import { send } from "./api.js";
import { untilTaken } from "./upload.js";

const SIZES = { preview: 1024, thumbnail: 384 };
const QUALITY = 0.85;
const VIDEO_MS = 15_000;

/** One after the other: a picture of 12 megapixels takes 48 MB while it is decoded. */
let turn = Promise.resolve();

export async function sendPreviews({ owner, item, file, stop: { signal } }) {
  const made = turn.then(() => makeAll(file));
  turn = made.catch(() => {});
  for (const [kind, body] of await made) {
    const path = `/media/${owner}/${item}/${kind}.jpg`;
    // There is no other time: one that is too busy for it now would have an icon for good.
    await untilTaken(() => send("PUT", path, { body, signal }), signal);
  }
}

/** @returns pairs of kind and JPEG; none where this browser cannot decode it */
async function makeAll(file) {
  const picture = await decode(file);
  if (picture === null) return [];
  try {
    const made = [];
    for (const [kind, side] of Object.entries(SIZES)) {
      const body = await jpegOf(picture, side);
      if (body !== null) made.push([kind, body]);
    }
    return made;
  } finally {
    picture.close();
  }
}

/** @returns null where this browser cannot */
async function decode(file) {
  try {
    // As it is to be seen: the camera's orientation is applied.
    if (!file.type.startsWith("video/")) {
      return await createImageBitmap(file, { imageOrientation: "from-image" });
    }
    return await firstFrame(file);
  } catch {
    return null;
  }
}

async function firstFrame(file) {
  const video = document.createElement("video");
  const url = URL.createObjectURL(file);
  try {
    video.muted = true;
    video.preload = "auto";
    video.playsInline = true;
    await event(video, "loadeddata", () => video.src = url);
    await event(video, "seeked", () => video.currentTime = Math.min(0.1, video.duration / 2 || 0));
    return await createImageBitmap(video);
  } finally {
    video.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

function event(target, name, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name}`)), VIDEO_MS);
    target.addEventListener(name, () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
    target.addEventListener("error", () => reject(new Error("cannot be decoded")), { once: true });
    start();
  });
}

/** The longer side at most `side`; never larger than it was. */
async function jpegOf(picture, side) {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  // JPEG has no transparency: what shines through is white, not black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  return await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
