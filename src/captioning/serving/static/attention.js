/** Attention maps: `rows` lists of `columns` numbers each, not negative. */

// Values computed for every cell and direction; the browser interpolates linearly between them.
const STEPS = 8;

function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/** Weights of `size` cells at `size * STEPS` places; at the edges those inside count for all. */
function weights(size) {
  return Array.from({ length: size * STEPS }, (_, place) => {
    const center = (place + 0.5) / STEPS - 0.5;
    const row = Array.from({ length: size }, (_, cell) => cubic(center - cell));
    const sum = row.reduce((total, weight) => total + weight, 0);
    return row.map((weight) => weight / sum);
  });
}

/**
 * The attention relative to its highest value, from 0 to 1, interpolated with cubic splines between
 * the centers of cells, as in the pictures that `evaluate` writes.
 *
 * @returns {{width: number, height: number, values: Float32Array}}
 */
export function smooth(map) {
  const [rows, columns] = [map.length, map[0].length];
  const highest = Math.max(...map.flat()) || 1;
  const [down, across] = [weights(rows), weights(columns)];
  const [height, width] = [down.length, across.length];
  const wide = map.map((row) =>
    across.map((weight) => row.reduce((sum, value, cell) => sum + value * weight[cell], 0)),
  );
  const values = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += down[y][row] * wide[row][x];
      values[y * width + x] = Math.min(Math.max(sum / highest, 0), 1);
    }
  }
  return { width, height, values };
}

const PLACES = [
  ["upper left", "top", "upper right"],
  ["left", "center", "right"],
  ["lower left", "bottom", "lower right"],
];

/** Which of three parts the middle of a cell is in. */
function third(cell, size) {
  return Math.floor(((cell + 0.5) / size) * 3);
}

/**
 * The strongest cell in words, also for people who do not see the picture.
 *
 * @returns {{place: string, share: number, cells: number}} such as "upper left", the cell's share of
 *   the attention, and the number of cells.
 */
export function strongest(map) {
  const flat = map.flat();
  const highest = Math.max(...flat);
  const cell = flat.indexOf(highest);
  const columns = map[0].length;
  const place = PLACES[third(Math.floor(cell / columns), map.length)][third(cell % columns, columns)];
  const sum = flat.reduce((total, value) => total + value, 0) || 1;
  return { place, share: highest / sum, cells: flat.length };
}
