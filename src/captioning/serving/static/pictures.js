/** Prepares pictures for the upload. */

// A picture with fewer bytes is sent as it is: scaling it down would save no time.
const SMALL_BYTES = 1_000_000;
// Longest side after scaling down: several times what a model sees, so captions stay the same.
const LEAST_SIDE = 1024;
const QUALITY = 0.92;

/**
 * A picture on the page.
 *
 * @typedef {object} Picture
 * @property {string} name shown and used as the name of the uploaded file.
 * @property {?Blob} upload what is sent, or null if the server fetches `url`.
 * @property {?string} url address of a picture on the web.
 * @property {?string} preview address of what the page shows, or null.
 * @property {string[]} references captions by people, for pictures of the test split.
 */

/** A picture on the web, which the server fetches. The page itself loads nothing from elsewhere. */
export function fromAddress(url) {
  const name = decodeURIComponent(new URL(url).pathname.split("/").pop()) || new URL(url).hostname;
  return { name, upload: null, url, preview: null, references: [] };
}

/**
 * A picture from a file.
 *
 * @param {Blob} file
 * @param {{name?: string, references?: string[], imageSize?: number, maximumBytes?: number}} options
 *   `imageSize` is the side in pixels of what the model sees.
 * @throws {Error} the file cannot be read, or is too large even after scaling down.
 */
export async function fromFile(file, options = {}) {
  const name = options.name ?? file.name ?? "picture";
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Error("This cannot be read. If it is a folder, open it and choose the pictures in it.");
  }
  const side = Math.max(LEAST_SIDE, 3 * (options.imageSize ?? 0));
  const upload = file.size > SMALL_BYTES ? ((await scaledDown(file, side)) ?? file) : file;
  if (options.maximumBytes && upload.size > options.maximumBytes) {
    const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
    throw new Error(
      `This file has ${megabytes(upload.size)} MB, more than the ${megabytes(options.maximumBytes)} MB ` +
        "that the server accepts. Scale it down and try again.",
    );
  }
  const preview = URL.createObjectURL(upload);
  return { name, upload, url: null, preview, references: options.references ?? [] };
}

/** A smaller upright copy, or null if the browser cannot read the format or it would not help. */
async function scaledDown(file, side) {
  let bitmap;
  try {
    // Turns the picture as its EXIF orientation says; the copy has no EXIF data.
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null;
  }
  const scale = side / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return null;
  const canvas = new OffscreenCanvas(
    Math.max(Math.round(bitmap.width * scale), 1),
    Math.max(Math.round(bitmap.height * scale), 1),
  );
  const context = canvas.getContext("2d");
  // The server, too, puts transparent pictures on white.
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const smaller = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return smaller.size < file.size ? smaller : null;
}
