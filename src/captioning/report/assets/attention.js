/** Attention maps: for each word the share on its strongest cell, and all cells relative to it. */

// The share of the highest attention from which on the picture keeps its colors, and how much of the
// veil covers the rest; see evaluation/spotlight.py.
const FULL = 0.8;
const VEIL = 0.78;
const SIDE = 128;

/** The maps of one caption, from the text that report/attention.py wrote. */
function unpackMaps(text, [rows, columns]) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const size = 1 + rows * columns;
  return Array.from({ length: bytes.length / size }, (_, word) => ({
    rows,
    columns,
    share: bytes[word * size] / 255,
    cells: bytes.subarray(word * size + 1, (word + 1) * size),
  }));
}

/** Covers with a veil what the map does not point at; without a map, nothing. */
function paintMap(canvas, map) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!map) return;
  canvas.width = canvas.height = SIDE;
  const color = getComputedStyle(canvas).color.match(/[\d.]+/g).map(Number);
  const mask = new ImageData(map.columns, map.rows);
  map.cells.forEach((cell, place) => {
    const light = Math.min(cell / 255 / FULL, 1);
    mask.data.set([...color.slice(0, 3), 255 * VEIL * (1 - light)], 4 * place);
  });
  const small = document.createElement("canvas");
  [small.width, small.height] = [map.columns, map.rows];
  small.getContext("2d").putImageData(mask, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, SIDE, SIDE);
}
